#pragma once
// DICOM's run-length coding (PS3.5, annex G): is a fragment's header sound?

#include <cstdint>

namespace sono {

// A header of 64 bytes says how many segments follow and where each begins:
// whether all of them lie in the fragment's `length` bytes, in order.
bool run_length_segments_fit(const std::uint8_t* fragment,
                             std::uint32_t length);

}  // namespace sono
