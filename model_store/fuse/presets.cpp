#include "model_store/fuse/presets.h"

namespace bitplex {
namespace {

// Means and deviations are those of the training sets; labels are in the data sets' own order.
// clang-format off
const std::vector<Preset>& All() {
  static const std::vector<Preset> all = {
      {"cifar10",
       {0.4914f, 0.4822f, 0.4465f},
       {0.2470f, 0.2435f, 0.2616f},
       {
         "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship",
         "truck"}},
      {"cifar100",
       {0.5071f, 0.4865f, 0.4409f},
       {0.2673f, 0.2564f, 0.2762f},
       {
         "apple", "aquarium_fish", "baby", "bear", "beaver", "bed", "bee", "beetle",
         "bicycle", "bottle", "bowl", "boy", "bridge", "bus", "butterfly", "camel", "can",
         "castle", "caterpillar", "cattle", "chair", "chimpanzee", "clock", "cloud",
         "cockroach", "couch", "crab", "crocodile", "cup", "dinosaur", "dolphin",
         "elephant", "flatfish", "forest", "fox", "girl", "hamster", "house", "kangaroo",
         "keyboard", "lamp", "lawn_mower", "leopard", "lion", "lizard", "lobster", "man",
         "maple_tree", "motorcycle", "mountain", "mouse", "mushroom", "oak_tree", "orange",
         "orchid", "otter", "palm_tree", "pear", "pickup_truck", "pine_tree", "plain",
         "plate", "poppy", "porcupine", "possum", "rabbit", "raccoon", "ray", "road",
         "rocket", "rose", "sea", "seal", "shark", "shrew", "skunk", "skyscraper", "snail",
         "snake", "spider", "squirrel", "streetcar", "sunflower", "sweet_pepper", "table",
         "tank", "telephone", "television", "tiger", "tractor", "train", "trout", "tulip",
         "turtle", "wardrobe", "whale", "willow_tree", "wolf", "woman", "worm"}},
  };
  return all;
}

// clang-format on

}  // namespace

const Preset* FindPreset(std::string_view name) {
  for (const Preset& preset : All()) {
    if (preset.name == name) return &preset;
  }
  return nullptr;
}

const Preset* FindPresetByClasses(size_t classes) {
  for (const Preset& preset : All()) {
    if (preset.labels.size() == classes) return &preset;
  }
  return nullptr;
}

}  // namespace bitplex
