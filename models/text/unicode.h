#pragma once
// The few Unicode operations of CLIP's tokenizer, on code points; each equals
// that of huggingface's `tokenizers`. Pure functions; any thread.

#include <string>
#include <string_view>

namespace sono {

// Code points of UTF-8 text. DataError naming `what` and the byte where the
// text is not UTF-8 (overlong forms, surrogates, cut sequences).
std::u32string decode_utf8(std::string_view text, const std::string& what);
void append_utf8(char32_t code, std::string& out);

bool is_letter(char32_t code);  // \p{L}
bool is_number(char32_t code);  // \p{N}
bool is_space(char32_t code);   // \s

// Normalization form C: decomposed, marks in canonical order, composed.
std::u32string nfc(std::u32string_view text);

// Code point by code point, without regard to what stands around.
std::u32string lower_case(std::u32string_view text);

}  // namespace sono
