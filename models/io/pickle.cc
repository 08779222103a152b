#include "models/io/pickle.h"

#include <unordered_map>

#include "core/error.h"
#include "models/io/pickle_names.h"

namespace sono {
namespace {

using Kind = PickleNode::Kind;
using Index = std::uint32_t;

constexpr std::size_t kMaxBytes = 64u << 20;
constexpr std::size_t kMaxNodes = 4'000'000;
// The stack machine of the pickle language.
class Machine {
 public:
  Machine(std::string_view bytes, const std::string& file)
      : bytes_(bytes), file_(file) {
    if (bytes.size() > kMaxBytes) refuse("the pickle is absurdly large");
  }

  PickleValues run() {
    while (step(next())) {
    }
    values_.root = pop();
    return std::move(values_);
  }

 private:
  [[noreturn]] void refuse(const std::string& why) const {
    throw DataError(file_ + ": refused: " + why +
                    "; only dictionaries of tensors are read (in Python: "
                    "torch.save(model.state_dict(), path))");
  }

  // ---- input
  std::uint8_t next() {
    if (at_ >= bytes_.size()) refuse("the pickle is cut short");
    return static_cast<std::uint8_t>(bytes_[at_++]);
  }
  std::uint64_t little_endian(int width) {
    std::uint64_t value = 0;
    for (int i = 0; i < width; ++i) value |= std::uint64_t{next()} << (8 * i);
    return value;
  }
  std::string take(std::uint64_t count) {
    if (count > bytes_.size() - at_) refuse("the pickle is cut short");
    std::string text(bytes_.substr(at_, count));
    at_ += count;
    return text;
  }
  std::string line() {
    const std::size_t end = bytes_.find('\n', at_);
    if (end == std::string_view::npos) refuse("the pickle is cut short");
    std::string text = take(end - at_);
    ++at_;
    return text;
  }

  // ---- stack
  void push(PickleNode node) {
    if (values_.nodes.size() >= kMaxNodes) refuse("too many values");
    values_.nodes.push_back(std::move(node));
    stack_.push_back(static_cast<Index>(values_.nodes.size() - 1));
  }
  void push_int(std::int64_t value) {
    push({.kind = Kind::kInt,
          .integer = value,
          .text = {},
          .storage_type = {},
          .items = {}});
  }
  void push_bool(bool value) {
    push_int(value);
    top().kind = Kind::kBool;
  }
  void push_kind(Kind kind, std::vector<Index> items = {}) {
    PickleNode node;
    node.kind = kind;
    node.items = std::move(items);
    push(std::move(node));
  }
  Index pop() {
    if (stack_.size() <= floor()) refuse("the pickle's stack is empty");
    const Index index = stack_.back();
    stack_.pop_back();
    return index;
  }
  PickleNode& top() {
    if (stack_.size() <= floor()) refuse("the pickle's stack is empty");
    return values_.nodes[stack_.back()];
  }
  std::size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }
  std::vector<Index> pop_to_mark() {
    if (marks_.empty()) refuse("a mark is missing");
    const std::vector<Index> items(stack_.begin() + marks_.back(),
                                   stack_.end());
    stack_.resize(marks_.back());
    marks_.pop_back();
    return items;
  }
  void push_opaque(std::string origin) {
    push_kind(Kind::kOpaque);
    top().text = std::move(origin);
  }
  void push_tuple(int count) {
    std::vector<Index> items(count);
    for (int i = count; i-- > 0;) items[i] = pop();
    push_kind(Kind::kTuple, std::move(items));
  }
  const PickleNode& node(Index index) const { return values_.nodes[index]; }
  const PickleNode& expect(Index index, Kind kind, const char* what) const {
    if (node(index).kind != kind)
      refuse(std::string(what).append(" is malformed"));
    return node(index);
  }
  const PickleNode& argument(const PickleNode& tuple, std::size_t i, Kind kind,
                             const char* what) const {
    if (i >= tuple.items.size())
      refuse(std::string(what).append(" is malformed"));
    return expect(tuple.items[i], kind, what);
  }

  // ---- operations
  void append(Kind kind, const std::vector<Index>& items) {
    PickleNode& target = top();
    if (target.kind == Kind::kOpaque) return;
    if (target.kind != kind || (kind == Kind::kDict && items.size() % 2 != 0)) {
      refuse("items are added to something that cannot hold them");
    }
    target.items.insert(target.items.end(), items.begin(), items.end());
  }
  void append_last(Kind kind, int count) {
    std::vector<Index> items(count);
    for (int i = count; i-- > 0;) items[i] = pop();
    append(kind, items);
  }
  void memoize(std::uint64_t slot) {
    (void)top();
    memo_[slot] = stack_.back();
  }
  void recall(std::uint64_t slot) {
    const auto found = memo_.find(slot);
    if (found == memo_.end()) refuse("the pickle recalls what it never stored");
    stack_.push_back(found->second);
    if (stack_.size() > kMaxNodes) refuse("too many values");
  }
  void push_global();
  void push_storage();
  void call();
  void make_object();
  void set_attributes();
  void push_tensor(Index arguments);
  void push_long();

  bool step(std::uint8_t opcode);
  bool step_scalar(std::uint8_t opcode);
  bool step_container(std::uint8_t opcode);

  std::string_view bytes_;
  const std::string& file_;
  std::size_t at_ = 0;
  PickleValues values_;
  std::vector<Index> stack_;
  std::vector<std::size_t> marks_;
  std::unordered_map<std::uint64_t, Index> memo_;
};

void Machine::push_global() {
  std::string name = line();
  name.push_back('.');
  name.append(line());
  if (name != kOrderedDict && name != kRebuildTensor &&
      name != kRebuildParameter && !is_storage_type(name) &&
      !is_bystander(name)) {
    refuse("the file refers to " + name);
  }
  push_kind(Kind::kGlobal);
  top().text = name;
}

// A persistent id: ("storage", type, key, device, number of elements).
void Machine::push_storage() {
  const PickleNode id = expect(pop(), Kind::kTuple, "a storage");
  if (argument(id, 0, Kind::kText, "a storage").text != "storage") {
    refuse("a persistent id is no storage");
  }
  const std::string type = argument(id, 1, Kind::kGlobal, "a storage").text;
  if (!is_storage_type(type)) refuse("a storage has the type " + type);
  PickleNode storage;
  storage.kind = Kind::kStorage;
  storage.text = argument(id, 2, Kind::kText, "a storage").text;
  storage.storage_type = type.substr(type.find('.') + 1);
  storage.integer = argument(id, 4, Kind::kInt, "a storage").integer;
  push(std::move(storage));
}

void Machine::call() {
  const Index arguments = pop();
  const std::string name = expect(pop(), Kind::kGlobal, "a call").text;
  const PickleNode& tuple = expect(arguments, Kind::kTuple, "a call");
  if (name == kOrderedDict) {
    if (!tuple.items.empty()) refuse("OrderedDict is called with arguments");
    push_kind(Kind::kDict);
  } else if (name == kRebuildTensor) {
    push_tensor(arguments);
  } else if (name == kRebuildParameter) {
    (void)argument(tuple, 0, Kind::kTensor, "a parameter");
    stack_.push_back(tuple.items[0]);
  } else if (is_storage_type(name)) {
    refuse("the file calls " + name);
  } else {
    push_opaque(name);
  }
}

// An object of a class that nobody here knows, made without a call.
void Machine::make_object() {
  (void)expect(pop(), Kind::kTuple, "an object");
  push_opaque(expect(pop(), Kind::kGlobal, "an object").text);
}

// Arguments: storage, offset, sizes, strides, requires_grad, hooks.
void Machine::push_tensor(Index arguments) {
  const PickleNode& tuple = node(arguments);
  (void)argument(tuple, 0, Kind::kStorage, "a tensor");
  (void)argument(tuple, 1, Kind::kInt, "a tensor");
  for (std::size_t i : {2, 3}) {
    for (Index dim : argument(tuple, i, Kind::kTuple, "a tensor").items) {
      (void)expect(dim, Kind::kInt, "a tensor");
    }
  }
  push_kind(Kind::kTensor,
            {tuple.items[0], tuple.items[1], tuple.items[2], tuple.items[3]});
}

// state_dict() hangs `_metadata` on its OrderedDict; it is of no use here.
void Machine::set_attributes() {
  const Index state = pop();
  if (top().kind == Kind::kOpaque) return;
  (void)expect(state, Kind::kDict, "a state");
  if (top().kind != Kind::kDict) refuse("an object is given a state");
}

void Machine::push_long() {
  const int width = next();
  if (width > 8) {
    (void)take(width);
    return push_opaque("an integer beyond 64 bits");
  }
  std::uint64_t value = little_endian(width);
  if (width > 0 && width < 8 && (value >> (8 * width - 1) & 1)) {
    value |= ~std::uint64_t{0} << (8 * width);
  }
  push_int(static_cast<std::int64_t>(value));
}

// Opcodes: Lib/pickletools.py of CPython. True when the opcode was one.
bool Machine::step_scalar(std::uint8_t opcode) {
  switch (opcode) {
    case 'N':
      push_kind(Kind::kNone);
      return true;
    case 0x88:
      push_bool(true);
      return true;
    case 0x89:
      push_bool(false);
      return true;
    case 'J':
      push_int(static_cast<std::int32_t>(little_endian(4)));
      return true;
    case 'K':
      push_int(next());
      return true;
    case 'M':
      push_int(static_cast<std::int64_t>(little_endian(2)));
      return true;
    case 0x8a:
      push_long();
      return true;
    case 'G':  // a float; no tensor needs its value
      (void)take(8);
      push_kind(Kind::kFloat);
      return true;
    case 'X': {
      std::string text = take(little_endian(4));
      push_kind(Kind::kText);
      top().text = std::move(text);
      return true;
    }
    default:
      return false;
  }
}

bool Machine::step_container(std::uint8_t opcode) {
  switch (opcode) {
    case ')':
      push_tuple(0);
      return true;
    case 0x85:
      push_tuple(1);
      return true;
    case 0x86:
      push_tuple(2);
      return true;
    case 0x87:
      push_tuple(3);
      return true;
    case 't':
      push_kind(Kind::kTuple, pop_to_mark());
      return true;
    case ']':
      push_kind(Kind::kList);
      return true;
    case 'a':
      append_last(Kind::kList, 1);
      return true;
    case 'e':
      append(Kind::kList, pop_to_mark());
      return true;
    case '}':
      push_kind(Kind::kDict);
      return true;
    case 's':
      append_last(Kind::kDict, 2);
      return true;
    case 'u':
      append(Kind::kDict, pop_to_mark());
      return true;
    default:
      return false;
  }
}

// Runs one opcode; false at the end of the pickle.
bool Machine::step(std::uint8_t opcode) {
  if (step_scalar(opcode) || step_container(opcode)) return true;
  switch (opcode) {
    case 0x80:
      if (next() > 3) refuse("a newer pickle protocol than torch.save's");
      return true;
    case '(':
      marks_.push_back(stack_.size());
      break;
    case 'q':
      memoize(next());
      break;
    case 'r':
      memoize(little_endian(4));
      break;
    case 'h':
      recall(next());
      break;
    case 'j':
      recall(little_endian(4));
      break;
    case 'c':
      push_global();
      break;
    case 'Q':
      push_storage();
      break;
    case 'R':
      call();
      break;
    case 0x81:
      make_object();
      break;
    case 'b':
      set_attributes();
      break;
    case '.':
      return false;
    default:
      refuse("the pickle holds opcode " + std::to_string(opcode) +
             ", which torch.save does not write");
  }
  if (marks_.size() > kMaxNodes) refuse("too many marks");
  return true;
}

}  // namespace

PickleValues parse_pickle(std::string_view bytes, const std::string& file) {
  return Machine(bytes, file).run();
}

}  // namespace sono
