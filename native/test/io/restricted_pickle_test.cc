#include "io/restricted_pickle.h"

#include <gtest/gtest.h>

#include <span>
#include <string>

#include "test/support/expect_error.h"
#include "test/support/pickle_builder.h"

namespace eyrie::test {
namespace {

std::vector<PickledTensor> read(const std::string& pickle) { return read_state_dict_pickle(std::as_bytes(std::span(pickle)), "data.pkl"); }

void expect_refused(const PickleBuilder& pickle, const std::string& reason) {
  expect_error(ErrorCode::model_invalid, reason, [&] { read(pickle.program()); });
}

PickleBuilder dict_of(const std::string& name) { return std::move(PickleBuilder().raw("}(").text(name)); }

TEST(RestrictedPickle, DescribesTheTensorsOfADict) {
  PickleBuilder pickle;
  pickle.raw("}(").text("a").tensor("HalfStorage", "0", 12, 0, {3, 4}, {4, 1});
  pickle.text("b").tensor("BFloat16Storage", "1", 10, 4, {6}, {1}).raw("u");
  const auto tensors = read(pickle.program());
  ASSERT_EQ(tensors.size(), 2u);
  EXPECT_EQ(tensors[0].name, "a");
  EXPECT_EQ(tensors[0].dtype, TensorDtype::f16);
  EXPECT_EQ(tensors[0].shape, (std::vector<uint64_t>{3, 4}));
  EXPECT_EQ(tensors[1].storage_key, "1");
  EXPECT_EQ(tensors[1].storage_elements, 10u);
  EXPECT_EQ(tensors[1].element_offset, 4u);
}

TEST(RestrictedPickle, TakesAnOrderedDictWithAttributesMemoAndParameters) {
  PickleBuilder pickle;
  pickle.global("collections", "OrderedDict").raw(")Rq").raw(std::string_view("\x00", 1)).raw("(").text("w");
  pickle.global("torch._utils", "_rebuild_parameter").raw("(").tensor("FloatStorage", "0", 2, 0, {2}, {1});
  pickle.raw("\x88").global("collections", "OrderedDict").raw(")RtR").raw("u}").text("_metadata").raw("}sb");
  const auto tensors = read(pickle.program());
  ASSERT_EQ(tensors.size(), 1u);
  EXPECT_EQ(tensors[0].dtype, TensorDtype::f32);
}

TEST(RestrictedPickle, NamesACallableItDoesNotKnow) {
  expect_refused(PickleBuilder().global("os", "system").text("id").raw("\x85R"), "os.system");
  expect_refused(PickleBuilder().global("torch", "LongStorage"), "torch.LongStorage");
  expect_refused(PickleBuilder().global("__builtin__", "eval"), "__builtin__.eval");
  expect_refused(PickleBuilder().global("collections", "OrderedDict\x01"), "OrderedDict\\x01");
}

TEST(RestrictedPickle, RefusesOpcodesOutsideTheList) {
  // NEWOBJ, EMPTY_SET, STACK_GLOBAL, MEMOIZE, FRAME, INST, OBJ, EXT1, INT, DUP, POP.
  for (const unsigned char opcode : {0x81, 0x8f, 0x93, 0x94, 0x95, int{'i'}, int{'o'}, 0x82, int{'I'}, int{'2'}, int{'0'}}) {
    expect_refused(PickleBuilder().raw("}").raw(std::string(1, static_cast<char>(opcode))), "opcode " + std::to_string(opcode));
  }
}

TEST(RestrictedPickle, RefusesOtherProtocolsAndTrailingBytes) {
  expect_error(ErrorCode::model_invalid, "protocol 2", [] { read(std::string("\x80\x04}.", 4)); });
  expect_error(ErrorCode::model_invalid, "too early", [] { read(""); });
  expect_error(ErrorCode::model_invalid, "goes on", [] { read(PickleBuilder().raw("}").program() + "."); });
  expect_refused(PickleBuilder().raw("}}"), "goes on");
  expect_refused(PickleBuilder().raw("}(}"), "goes on");
}

TEST(RestrictedPickle, RefusesAStackThatRunsDry) {
  expect_refused(PickleBuilder(), "stack is empty");
  expect_refused(PickleBuilder().raw("R"), "stack is empty");
  expect_refused(PickleBuilder().raw("}(R"), "stack is empty");
  expect_refused(PickleBuilder().raw("}u"), "MARK");
  expect_refused(PickleBuilder().raw("h").raw(std::string_view("\x05", 1)), "memo");
  expect_refused(PickleBuilder().raw("}r\xff\xff\xff\xff"), "memo is too large");
}

TEST(RestrictedPickle, RefusesTensorsThatLeaveTheirStorage) {
  expect_refused(dict_of("a").tensor("FloatStorage", "0", 11, 0, {3, 4}, {4, 1}).raw("u"), "beyond its storage");
  expect_refused(dict_of("a").tensor("FloatStorage", "0", 12, 1, {3, 4}, {4, 1}).raw("u"), "beyond its storage");
  expect_refused(dict_of("a").tensor("FloatStorage", "0", 12, -1, {3, 4}, {4, 1}).raw("u"), "negative");
  expect_refused(dict_of("a").tensor("FloatStorage", "0", 12, 0, {2147483647, 2147483647, 2147483647}, {1, 1, 1}).raw("u"),
                 "impossible size");
  expect_refused(dict_of("a").tensor("FloatStorage", "0", 12, 0, {1, 1, 1, 1, 1, 1, 1, 1, 1}, {1, 1, 1, 1, 1, 1, 1, 1, 1}).raw("u"),
                 "dimensions");
}

TEST(RestrictedPickle, RefusesStridesThatAreNotRowMajor) {
  expect_refused(dict_of("a").tensor("FloatStorage", "0", 12, 0, {3, 4}, {1, 3}).raw("u"), "row-major");
  expect_refused(dict_of("a").tensor("FloatStorage", "0", 12, 0, {3, 4}, {0, 0}).raw("u"), "row-major");
  // The stride of a dimension of one does not matter.
  EXPECT_EQ(read(dict_of("a").tensor("FloatStorage", "0", 12, 0, {1, 12}, {7, 1}).raw("u").program()).size(), 1u);
}

TEST(RestrictedPickle, RefusesADictOfOtherThings) {
  expect_refused(dict_of("a").number(5).raw("u"), "no tensor");
  expect_refused(PickleBuilder().raw("}(").number(5).number(6).raw("u"), "name as key");
  expect_refused(PickleBuilder().raw("}(").number(5).raw("u"), "odd");
  expect_refused(PickleBuilder().raw("]"), "no dict");
  expect_refused(PickleBuilder().text("x"), "no dict");
  expect_refused(dict_of(std::string(513, 'n')).tensor("FloatStorage", "0", 1, 0, {1}, {1}).raw("u"), "too long");
}

TEST(RestrictedPickle, RefusesWrongArguments) {
  expect_refused(PickleBuilder().global("collections", "OrderedDict").number(1).raw("\x85R"), "OrderedDict with arguments");
  expect_refused(PickleBuilder().global("torch", "FloatStorage").raw(")R"), "not callable");
  expect_refused(PickleBuilder().global("torch._utils", "_rebuild_tensor_v2").raw(")R"), "number of arguments");
  expect_refused(PickleBuilder().global("torch._utils", "_rebuild_parameter").raw("N").raw("\x88").raw("}\x87R"), "a tensor");
  expect_refused(PickleBuilder().text("storage").raw("Q"), "a tuple");
  expect_refused(PickleBuilder().raw(")Q"), "no storage");
  expect_refused(PickleBuilder().raw("]}b"), "BUILD");
  expect_refused(PickleBuilder().raw("}N").raw("a"), "APPEND");
  expect_refused(PickleBuilder().raw("]NNs"), "SETITEM");
}

TEST(RestrictedPickle, BoundsTheNumberOfOpcodes) {
  // A million stores into the memo need no memory, so only the count can stop them.
  std::string stores;
  for (int i = 0; i < 1'100'000; ++i) stores += std::string("q\x00", 2);
  expect_refused(PickleBuilder().raw("}").raw(stores), "opcodes");
  expect_refused(PickleBuilder().raw(std::string(300'000, '}')), "too deep");
  expect_refused(PickleBuilder().raw("X\xff\xff\xff\x7f"), "too long");
}

}  // namespace
}  // namespace eyrie::test
