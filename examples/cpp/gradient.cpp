// gradient MODEL.gradient.onnx INPUT.f32 [TARGET]
//
// Runs a file made by `onnxplain compile MODEL --composite gradient --no-logits` on one input (raw float32, as
// numpy's tofile writes it). Prints the model's output, then the derivative of one of its numbers (the largest one,
// or TARGET) by each number of the input. Of a file made with --targets K it prints K lines, the first K rows of the
// Jacobian, from one run. Nothing of onnxplain is needed for it:
//
//   g++ -std=c++17 -O2 -I ONNXRUNTIME/include gradient.cpp -L ONNXRUNTIME/lib -lonnxruntime -o gradient
#include <onnxruntime_cxx_api.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

using Shape = std::vector<int64_t>;

static size_t count(const Shape& shape) {
  return std::accumulate(shape.begin(), shape.end(), size_t{1}, std::multiplies<>());
}

static Ort::Value tensor(std::vector<float>& values, const Shape& shape) {
  static const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
  return Ort::Value::CreateTensor<float>(memory, values.data(), values.size(), shape.data(), shape.size());
}

static void print(const char* name, const float* values, size_t n) {
  std::printf("%s", name);
  for (size_t i = 0; i < n; ++i) std::printf(" %.9g", values[i]);
  std::printf("\n");
}

int main(int argc, char** argv) try {
  if (argc < 3) throw std::runtime_error("usage: gradient MODEL.gradient.onnx INPUT.f32 [TARGET]");
  Ort::Env env(ORT_LOGGING_LEVEL_ERROR, "gradient");
  Ort::Session session(env, argv[1], Ort::SessionOptions{});
  Ort::AllocatorWithDefaultOptions allocator;
  const auto name = [&](size_t i) { return std::string(session.GetInputNameAllocated(i, allocator).get()); };
  const auto shape = [&](size_t i) {  // of one sample: what the file leaves open is the batch
    Shape found = session.GetInputTypeInfo(i).GetTensorTypeAndShapeInfo().GetShape();
    std::replace_if(found.begin(), found.end(), [](int64_t size) { return size < 0; }, int64_t{1});
    return found;
  };
  if (session.GetInputCount() != 2) throw std::runtime_error("the model has more inputs than one");
  const size_t at = name(0) == "seed" ? 1 : 0;
  const Shape x_shape = shape(at), seed_shape = shape(1 - at);

  std::vector<float> x(count(x_shape)), seed(count(seed_shape), 0.0f);
  std::ifstream file(argv[2], std::ios::binary);
  const auto bytes = static_cast<std::streamsize>(x.size() * sizeof(float));
  if (!file.read(reinterpret_cast<char*>(x.data()), bytes)) throw std::runtime_error("the input is too short");

  const std::string input = name(at), slope = "gradient." + input;
  const std::string output = session.GetOutputNameAllocated(0, allocator).get();
  const char* inputs[] = {input.c_str(), "seed"};
  const char* outputs[] = {output.c_str(), slope.c_str()};
  const auto run = [&] {
    Ort::Value feeds[] = {tensor(x, x_shape), tensor(seed, seed_shape)};
    return session.Run(Ort::RunOptions{}, inputs, feeds, 2, outputs, 2);
  };
  auto made = run();  // a seed of zeros asks for no derivative, and gives the output
  const float* y = made[0].GetTensorData<float>();
  const size_t n = made[0].GetTensorTypeAndShapeInfo().GetElementCount(), k = seed.size() / n;
  const size_t first = argc > 3 ? std::strtoul(argv[3], nullptr, 10) : k > 1 ? 0 : std::max_element(y, y + n) - y;
  if (first + k > n) throw std::runtime_error("the model has no such output");
  for (size_t row = 0; row < k; ++row) seed[row * n + first + row] = 1.0f;
  made = run();
  print("output", made[0].GetTensorData<float>(), n);
  for (size_t row = 0; row < k; ++row) print("gradient", made[1].GetTensorData<float>() + row * x.size(), x.size());
} catch (const std::exception& error) {
  std::fprintf(stderr, "gradient: %s\n", error.what());
  return 2;
}
