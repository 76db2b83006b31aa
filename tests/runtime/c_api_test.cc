// The C API over the same objects, from C (c_api_user.c) and from here.
#include <gmock/gmock.h>

#include <cstring>

#include "tests/runtime/c_api_user.h"
#include "tests/runtime/run_model.h"
#include "tests/runtime/small_model.h"

namespace tidbit::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StrEq;

struct Free {
  void operator()(tidbit_model* model) const { tidbit_model_free(model); }
  void operator()(tidbit_session* session) const { tidbit_session_free(session); }
};
using CModel = std::unique_ptr<tidbit_model, Free>;
using CSession = std::unique_ptr<tidbit_session, Free>;

/// One of the API's structs, of zeros.
template <class Struct>
Struct sized() {
  Struct result{};
  result.size = sizeof(Struct);
  return result;
}

class CApi : public testing::Test {
 protected:
  TbitFile file = SmallModel().builder.finish();
  Random random;

  CModel load_in_c(const tidbit_load_options* options = nullptr) {
    tidbit_model* model = nullptr;
    EXPECT_EQ(tidbit_model_load_bytes(file.bytes().data(), file.bytes().size(), options, &model), TIDBIT_OK);
    return CModel(model);
  }
};

TEST_F(CApi, RunsFromC) {
  constexpr size_t kOutputs[] = {2, 256};
  const Values input = random.reals(3 * 48);
  const std::vector<Values> expected = run(load(file), {input}, {.batch = 3});
  for (size_t i = 0; i < 2; ++i) {
    Values output(3 * kOutputs[i]);
    ASSERT_EQ(run_in_c(file.bytes().data(), file.bytes().size(), input.data(), 3, i, output.data(), output.size()),
              TIDBIT_OK)
        << tidbit_last_error();
    EXPECT_EQ(output, expected[i]);
  }
}

TEST_F(CApi, TellsWhatTheModelHolds) {
  const CModel model = load_in_c();
  const Model same = load(file);
  EXPECT_THAT(tidbit_model_name(model.get()), StrEq("test"));
  EXPECT_EQ(tidbit_model_input_count(model.get()), 1u);
  EXPECT_EQ(tidbit_model_output_count(model.get()), same.outputs().size());
  EXPECT_EQ(tidbit_model_file_bytes(model.get()), same.file_bytes());
  EXPECT_EQ(tidbit_model_packed_bytes(model.get()), same.packed_bytes());
  ASSERT_EQ(tidbit_model_label_count(model.get()), 2u);
  EXPECT_THAT(tidbit_model_label(model.get(), 1), StrEq("dog"));
  EXPECT_EQ(tidbit_model_label(model.get(), 2), nullptr);

  auto info = sized<tidbit_tensor_info>();
  ASSERT_EQ(tidbit_model_output(model.get(), 1, &info), TIDBIT_OK);
  EXPECT_THAT(info.name, StrEq("image"));
  EXPECT_THAT(std::span(info.shape, info.rank), ElementsAre(1, 4, 8, 8));
  EXPECT_EQ(info.elements, 256u);
  EXPECT_EQ(info.channels_last, 0);

  auto images = sized<tidbit_image_preprocessing>();
  ASSERT_EQ(tidbit_model_image_preprocessing(model.get(), &images), TIDBIT_OK);
  EXPECT_EQ(images.channels_last, 1);
  EXPECT_EQ(images.bgr, 0);
  EXPECT_THAT(std::span(images.mean, images.channels), ElementsAre(0.5f, 0.5f, 0.5f));
  EXPECT_THAT(std::span(images.deviation, images.channels), ElementsAre(0.25f, 0.25f, 0.25f));
  EXPECT_THAT(tidbit_version(), StrEq(std::string(version())));
}

TEST_F(CApi, SaysWhatFailed) {
  tidbit_model* model = nullptr;
  EXPECT_EQ(tidbit_model_load("/no/such/file.tbit", nullptr, &model), TIDBIT_NOT_FOUND);
  EXPECT_THAT(tidbit_last_error(), HasSubstr("/no/such/file.tbit"));
  EXPECT_EQ(tidbit_model_load(nullptr, nullptr, &model), TIDBIT_INVALID_ARGUMENT);
  EXPECT_THAT(tidbit_last_error(), HasSubstr("path"));
  EXPECT_EQ(tidbit_model_load_bytes(file.bytes().data(), 10, nullptr, &model), TIDBIT_INVALID_FILE);
  auto options = sized<tidbit_load_options>();
  options.kernel_family = "magic";
  EXPECT_EQ(tidbit_model_load_bytes(file.bytes().data(), file.bytes().size(), &options, &model),
            TIDBIT_INVALID_ARGUMENT);
  EXPECT_THAT(tidbit_last_error(), HasSubstr("'magic'"));
  options.kernel_family = nullptr;
  options.max_arena_bytes = 8192;
  EXPECT_EQ(tidbit_model_load_bytes(file.bytes().data(), file.bytes().size(), &options, &model), TIDBIT_OUT_OF_MEMORY);
  EXPECT_EQ(model, nullptr);

  const CModel good = load_in_c();
  tidbit_session* session = nullptr;
  auto crowd = sized<tidbit_session_options>();
  crowd.threads = 100000;
  EXPECT_EQ(tidbit_session_create(good.get(), &crowd, &session), TIDBIT_INVALID_ARGUMENT);
  EXPECT_THAT(tidbit_last_error(), HasSubstr("threads"));
  EXPECT_EQ(tidbit_session_create(nullptr, nullptr, &session), TIDBIT_INVALID_ARGUMENT);
  EXPECT_EQ(session, nullptr);
  auto info = sized<tidbit_tensor_info>();
  EXPECT_EQ(tidbit_model_input(good.get(), 1, &info), TIDBIT_INVALID_ARGUMENT);
}

TEST_F(CApi, CutsLongMessages) {
  tidbit_model* model = nullptr;
  EXPECT_EQ(tidbit_model_load(std::string(5000, 'x').c_str(), nullptr, &model), TIDBIT_NOT_FOUND);
  EXPECT_LT(std::strlen(tidbit_last_error()), 1024u);
}

TEST_F(CApi, HasNothingAtIndicesOutOfRange) {
  const CModel model = load_in_c();
  tidbit_session* made = nullptr;
  ASSERT_EQ(tidbit_session_create(model.get(), nullptr, &made), TIDBIT_OK);
  const CSession session(made);
  size_t elements = 99;
  EXPECT_NE(tidbit_session_input(made, 0, &elements), nullptr);
  EXPECT_EQ(elements, 48u);
  EXPECT_EQ(tidbit_session_input(made, 1, &elements), nullptr);
  EXPECT_EQ(elements, 0u);
  EXPECT_EQ(tidbit_session_output(made, tidbit_model_output_count(model.get()), nullptr), nullptr);
  EXPECT_EQ(tidbit_session_output(nullptr, 0, nullptr), nullptr);
  EXPECT_GT(tidbit_session_arena_bytes(made), 0u);
  EXPECT_EQ(tidbit_model_name(nullptr), nullptr);
  tidbit_session_run(nullptr);
}

TEST_F(CApi, TakesTheStructsOfOlderPrograms) {
  struct OldInfo {
    size_t size;
    const char* name;
    size_t untouched;
  } old{.size = offsetof(OldInfo, untouched), .name = nullptr, .untouched = 7};
  const CModel model = load_in_c();
  EXPECT_EQ(tidbit_model_input(model.get(), 0, reinterpret_cast<tidbit_tensor_info*>(&old)), TIDBIT_OK);
  EXPECT_THAT(old.name, StrEq("input"));
  EXPECT_EQ(old.untouched, 7u);
  EXPECT_EQ(old.size, offsetof(OldInfo, untouched));

  const size_t only_size = sizeof(size_t);
  EXPECT_NE(load_in_c(reinterpret_cast<const tidbit_load_options*>(&only_size)), nullptr);
}

TEST_F(CApi, LaysStructsOutAsCDoes) {
  size_t sizes[4];
  sizes_in_c(sizes);
  EXPECT_THAT(sizes, ElementsAre(sizeof(tidbit_load_options), sizeof(tidbit_session_options),
                                 sizeof(tidbit_tensor_info), sizeof(tidbit_image_preprocessing)));
}

}  // namespace
}  // namespace tidbit::test
