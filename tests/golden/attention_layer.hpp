// Made by make_golden.py with PyTorch 1.13.0a0. Do not edit.
#pragma once

#include <cmath>

#include "golden.hpp"

namespace tensornorm_test {

/// A layer as PyTorch computed it: parameters as they are loaded, and gradients of sum(dy y), by name. Without a
/// context it is self-attention.
struct attention_layer_case {
  using named = std::vector<std::pair<const char*, const golden_tensor*>>;
  const char* name;
  std::ptrdiff_t heads;
  bool causal, bias;
  const golden_tensor &x, &dy, &y, &dx;
  named parameters, gradients;
  const golden_tensor* context = nullptr;
  const golden_tensor* dcontext = nullptr;
};

inline const golden_tensor attention_layer_data_0 =
    {{2, 4, 6}, {-0x1.7f418cp-2, 0x1.722d02p-2, 0x1.243c34p+0, 0x1.376264p-2, 0x1.ae1598p-3,
     0x1.e3b89ap-1, 0x1.d61c46p-1, 0x1.0ad884p+0, 0x1.df259cp+0, 0x1.1fddcep-1, 0x1.7617dp-1,
     0x1.7f4182p-2, 0x1.b727fep-1, -0x1.8c0146p-2, 0x1.0bdc6cp-3, -0x1.8fa1f4p-1, -0x1.23f7dap-2,
     0x1.b77132p-2, -0x1.25366p-2, -0x1.01e02cp-2, -0x1.463cdcp-1, 0x1.5c1c38p-2, 0x1.570a5ep+1,
     -0x1.b867e4p-2, -0x1.a96b7ap+0, -0x1.80920ap-2, -0x1.fff84ep-1, -0x1.3fd3e6p+0, 0x1.744522p-3,
     0x1.4d4fcep-1, 0x1.1309c2p+0, 0x1.56f276p+0, 0x1.bd67ecp-3, -0x1.f34242p+0, 0x1.2159e6p+0,
     0x1.9caebap-2, 0x1.9ee07ap+1, -0x1.eab1acp-3, 0x1.cba2e8p+0, 0x1.e4d792p-1, 0x1.30e1dap-3,
     -0x1.7f13c4p-2, -0x1.538a84p-1, 0x1.59db66p-1, 0x1.5015dcp-1, 0x1.3e159ap+0, -0x1.aa4df6p-3,
     0x1.364d06p+1}};
inline const golden_tensor attention_layer_data_1 =
    {{2, 4, 6}, {-0x1.1fb17p+1, -0x1.3ca6a8p+0, -0x1.ee70dcp-1, -0x1.7fd2c4p-3, 0x1.307b68p+0,
     -0x1.0d806cp+0, 0x1.1d72c8p-1, -0x1.885006p-1, -0x1.e3040ap-1, -0x1.062f1p-2, 0x1.eed65ep-1,
     -0x1.9beb1ap-2, -0x1.0c7d88p-1, -0x1.29ff2ep+1, 0x1.1cbfccp-1, -0x1.fe17dp-4, 0x1.388b4ep+0,
     -0x1.eee8aap-1, -0x1.27f89cp-3, 0x1.bb710ep-2, 0x1.1bf9bap-1, -0x1.54b8fap-2, 0x1.411ba2p-1,
     -0x1.74b944p+0, 0x1.1bd312p-4, 0x1.a8fa52p+0, -0x1.29f0ap-1, 0x1.393f66p-1, -0x1.83297cp-1,
     -0x1.017a7cp+0, 0x1.ce177p-1, -0x1.776224p-1, -0x1.09483p+0, 0x1.fe0032p+0, 0x1.05a47p+1,
     0x1.cffc9cp+0, -0x1.241fd8p+0, -0x1.31e6c4p-3, -0x1.623516p+0, 0x1.2bf448p+0, -0x1.6b8f36p-3,
     -0x1.4d7746p-3, -0x1.6e602p+0, -0x1.8084a2p-1, 0x1.78d08ap-2, 0x1.3feb24p+0, -0x1.a46c46p-2,
     0x1.17357cp-1}};
inline const golden_tensor attention_layer_data_2 =
    {{2, 4, 6}, {-0x1.c8446c3a8a03cp+0, -0x1.d0c1e5037344ap+0, -0x1.942be71d7834cp-2,
     -0x1.53af8018897b2p-1, 0x1.21f643b9e9d3p-3, -0x1.f941e6d9633ebp-1, -0x1.c3f485c0a273ep+1,
     -0x1.8d4c75cde93eap+0, 0x1.73376bc3e283cp-4, -0x1.0db43ee38e519p-2, 0x1.112050787f0e1p+1,
     -0x1.373a9a2869a35p+0, -0x1.6635a493f08e5p+1, -0x1.85cdcbc450dd8p+0, -0x1.1559d85652536p-2,
     -0x1.2bd5d151f8942p-2, 0x1.16337bcf05d7ap+1, -0x1.02c22498c9702p+0, -0x1.ada22bd127056p+0,
     -0x1.bf1ba5fd5b97dp-1, -0x1.f134230b27928p-1, -0x1.49db2d28e5b82p-5, 0x1.8ce37bd3ed6f9p+1,
     0x1.07abd813f6a5bp+0, 0x1.79624015c2adp+1, -0x1.412f0b4f74ec8p+1, -0x1.5cf1effb59d94p+0,
     -0x1.5eaa6a08ea396p+0, -0x1.9f46c3a619c92p+1, -0x1.6e2b231248e55p+0, -0x1.4ca5355296bfcp+0,
     -0x1.db46cf9d3dbb2p+0, -0x1.e1013b8bf52aep+0, -0x1.0504a5957779ep-1, 0x1.7f8316c1ad5bep+1,
     -0x1.5635afa3a68cp-6, -0x1.d486d3390d1bfp+1, -0x1.60234fdd2d623p+0, 0x1.d73f91e5afe1fp-2,
     -0x1.d79e1b9b3fd2p-7, 0x1.947d91bd03234p+1, -0x1.f2cbc05ae83eep+0, -0x1.02dcff56f0d0ep+2,
     0x1.6ffaf4357a6ccp+0, 0x1.0245cb6e30c3cp+1, 0x1.8082e16fa4171p+0, 0x1.4ad5ff7a3faaap+2,
     0x1.11dcfc1b3a78p-2}};
inline const golden_tensor attention_layer_data_3 =
    {{2, 4, 6}, {0x1.a1362d2d3e9bp+0, 0x1.eff383881438cp+2, 0x1.fb2fe08184fdp+2, -0x1.7c5cb30885fc6p+2,
     0x1.07bde466e60fp-1, -0x1.af1e98f467262p+1, -0x1.1d4936db1900ep+0, 0x1.2e977e1ee1163p+1,
     0x1.206ed18b10b7fp+1, -0x1.102edf9676d5cp+1, 0x1.9fec52ab8ffcdp-2, -0x1.056937b69444bp-1,
     0x1.97263700d74ffp-1, 0x1.3dc7cbdbb5804p-1, 0x1.15d0cca51501p+0, -0x1.67741ba0e7125p+0,
     0x1.f795fbeb21ee7p-3, -0x1.1f6010b7ddc6ep+1, 0x1.92d9fa8d3b1abp+0, 0x1.3c83a8eb3c34p-1,
     0x1.e1b6629801671p+0, -0x1.dfa99f4a1505ap-1, -0x1.6040f2c7e7097p+0, -0x1.1a8904d5d50a8p+1,
     0x1.c79b9afa217eap+1, -0x1.d1c780036c20dp+2, -0x1.32b926c3d47b3p+3, 0x1.9c3b5ebaa048dp+0,
     0x1.00a714492f618p+1, -0x1.3eb3a1ecc40c4p+2, 0x1.cf1d9b7a7efd4p-1, 0x1.07230d0572614p+3,
     0x1.10a86b7ace9c2p+3, -0x1.7afa121269c29p+1, 0x1.88d71e25bc13fp+1, 0x1.507098fabecd8p+1,
     0x1.227b4fb1953acp+1, 0x1.fcf16de31f592p-1, 0x1.27e1c1fc88f57p+0, -0x1.0c00862c314a8p-3,
     0x1.678d1f2ee1c71p-1, -0x1.41030d841a4e8p+0, -0x1.eab08fbd24265p-2, 0x1.fb2d216b84c4bp-2,
     0x1.1054b27ff9fa7p-1, 0x1.27035a19dd3b4p-1, -0x1.cfc4597a69efdp-1, -0x1.c8ed43762c118p-2}};
inline const golden_tensor attention_layer_data_4 =
    {{18, 6}, {0x1.ecc704p-1, -0x1.12bd9ep-2, -0x1.fab4a6p-3, -0x1.0ac80ep-4, -0x1.11ab8cp-1,
     -0x1.7c39acp-1, -0x1.ad81e4p-4, -0x1.75156p-3, -0x1.b7db1p-2, -0x1.bac87ep-2, 0x1.9ab3a8p-5,
     -0x1.7d895cp-4, -0x1.4f14b4p-6, 0x1.20cb1ap-2, 0x1.7dcbd8p-5, 0x1.679db4p-3, -0x1.838924p-1,
     -0x1.16c366p-1, 0x1.b87c5cp-2, 0x1.8c7b5p-4, 0x1.e685acp-2, -0x1.fa0bb6p-3, -0x1.4c5c08p-1,
     -0x1.9a6ed8p-1, -0x1.f87dc6p-2, -0x1.9c779ap-4, -0x1.2baa62p-3, 0x1.3b11f8p-1, -0x1.1692e2p-1,
     0x1.fe9586p-1, 0x1.153632p-1, -0x1.124a82p-5, 0x1.337932p-2, -0x1.0f7ef2p-1, 0x1.0378ecp-1,
     -0x1.27a8e2p-1, -0x1.fb243p-2, 0x1.57dd88p-3, 0x1.a76802p-4, -0x1.501a1p-3, -0x1.19240ap-2,
     -0x1.2d7144p-1, -0x1.fe8a68p-1, 0x1.14f8f4p-4, -0x1.53c3fcp-4, -0x1.0d5b72p-3, 0x1.46d5d8p-1,
     -0x1.660006p-1, 0x1.c4e4bcp-2, -0x1.3b8864p-1, 0x1.bdd986p-2, -0x1.6dd0bep-1, -0x1.71d562p-1,
     0x1.63eb84p-4, 0x1.602814p-2, -0x1.782f14p-3, 0x1.d45bdap-3, 0x1.fff962p-3, -0x1.d06f36p-2,
     0x1.081486p+0, 0x1.3744b8p-1, -0x1.c765dep-1, -0x1.872e54p-1, 0x1.79199ap-2, 0x1.8ccd8ap-3,
     -0x1.cba7f6p-4, -0x1.a40002p-2, 0x1.6d42fap-2, 0x1.0f699cp-1, 0x1.965d2cp-4, 0x1.8cd3dap-3,
     0x1.ab1cbp-2, 0x1.1a35d4p-1, 0x1.16c06ep-1, 0x1.61aa62p-2, 0x1.505f32p-1, -0x1.14d424p-2,
     -0x1.85ea4ep-2, -0x1.a05e76p-4, -0x1.640016p-3, -0x1.5f89f2p-2, -0x1.11ed16p+0, -0x1.14b61ap-3,
     -0x1.f2df98p-1, -0x1.8921bp-1, -0x1.a71d52p-2, -0x1.439b76p+0, 0x1.53cacap-2, 0x1.b7c8eap-4,
     0x1.f88d16p-2, -0x1.9375d8p-1, 0x1.a017c2p-5, 0x1.015788p-1, -0x1.3e73aap-1, -0x1.8e0ee6p-1,
     0x1.37f38p-2, -0x1.d58cb8p-1, -0x1.26dbf2p-3, -0x1.c13baap-2, 0x1.3eca54p-5, -0x1.9c77d6p-2,
     0x1.3f0288p-2, -0x1.791346p-1, 0x1.543ef2p+0, 0x1.c1d302p-2, -0x1.c5b86p-3, 0x1.335176p-2,
     0x1.102782p-2}};
inline const golden_tensor attention_layer_data_5 =
    {{6, 6}, {-0x1.3d6de2p-1, -0x1.99ef4ap-4, 0x1.999cbap-3, -0x1.590cdcp-1, 0x1.52fe78p+0,
     -0x1.3359cap-1, 0x1.d5182ep-3, -0x1.ad46bap-3, 0x1.5b6ef4p-2, -0x1.dfe88ap-2, -0x1.fe5a86p-3,
     -0x1.c54e82p-2, 0x1.e2fd1ep-2, -0x1.4d4efep-10, -0x1.65378cp-3, -0x1.779ea6p-2, 0x1.c79518p-2,
     -0x1.921386p-2, 0x1.95993ep-5, -0x1.cd84e2p-5, 0x1.0e2304p-5, -0x1.cacfeap-2, -0x1.f181aep-4,
     -0x1.172418p-3, 0x1.5032d2p-3, 0x1.8f665ep-2, 0x1.376d1p-4, -0x1.6241bcp-1, -0x1.961ebep+0,
     0x1.547b2ep-1, -0x1.e9d7bp-6, -0x1.2b189p-1, 0x1.d79ec2p-1, -0x1.4aae6ep-1, -0x1.43774ap-1,
     0x1.fbd8bp-5}};
inline const golden_tensor attention_layer_data_6 =
    {{18}, {0x1.32bee2p-3, 0x1.f063c4p-4, 0x1.4586fcp-1, 0x1.3cc25p-2, -0x1.30c45cp-6, 0x1.0905f8p-1,
     -0x1.4a7b7cp-8, 0x1.6e82cp-5, 0x1.3adc8ap-6, -0x1.e4538cp-5, -0x1.28e0fap-2, 0x1.c0752ap-2,
     0x1.91cd56p-3, 0x1.1bc41cp-1, 0x1.baf804p-2, 0x1.b5dedep-2, 0x1.fecba8p-4, 0x1.0bdc98p-3}};
inline const golden_tensor attention_layer_data_7 =
    {{6}, {0x1.e2e0aep-6, -0x1.64fb62p-1, 0x1.b08724p-2, 0x1.03aab6p-4, 0x1.150e12p-1, -0x1.2c4f84p-1}};
inline const golden_tensor attention_layer_data_8 =
    {{6, 6}, {-0x1.d17dc6628b4bfp+2, 0x1.62778c169994cp+2, 0x1.0a17f162ef59ap+3, 0x1.54668d41c2f8p-5,
     0x1.48ad7164a1b5fp+2, -0x1.915a3326338f4p-1, -0x1.fd074442c5ef1p+2, 0x1.8f25139015754p+2,
     0x1.5b76ebe27a59cp+3, 0x1.752e27c6c456cp-1, 0x1.1236ba4fcfacep+3, -0x1.362f755843df6p+2,
     0x1.1beb9dcbd7894p-1, -0x1.3708d5a9ac94cp+0, 0x1.44584b071d47p-1, -0x1.04750bd23391bp+2,
     -0x1.644694c390138p-2, -0x1.890e73c5a8c14p+2, -0x1.ac80f07d7db7p-3, 0x1.c96cff728de03p+1,
     -0x1.373af575041f4p+0, 0x1.6e2a0bce28bfp-3, -0x1.32ef0378f1a06p+2, 0x1.efd26283ba0aap+0,
     -0x1.2d9c4de4cb492p-1, -0x1.c4cbf5588e11p-3, 0x1.924dbbacb3bp-6, 0x1.9a6a141f476aap+1,
     -0x1.e30ed127e67bp+1, 0x1.3d23ea27a4e3bp+3, -0x1.910c46e36fd68p-2, 0x1.34a9e7f2616a8p+1,
     -0x1.820cbd186c396p+0, -0x1.03a70963d8d52p+2, -0x1.629bf3542779p+1, -0x1.2d97096a5d669p+2}};
inline const golden_tensor attention_layer_data_9 =
    {{6, 6}, {0x1.b8d70f2d85b82p-1, 0x1.d267a73e529aap+0, -0x1.7ebb1a144fbf3p-4, -0x1.6f5161295f2ep+1,
     0x1.8bdba527b0327p+0, 0x1.8a1f7398e7d08p-3, 0x1.ac9afc362f427p+0, 0x1.d460c9acaea1cp+1,
     -0x1.363a8f8db03cp-5, -0x1.91760f5472b91p+2, 0x1.b26d1343156bfp-1, 0x1.f89ca11fe7p-6,
     -0x1.f14efb169411ap-2, -0x1.ab612aa6dddacp-1, 0x1.5343b4cdc1b64p-3, 0x1.17ff0902648c2p+1,
     0x1.ad122be070444p-1, 0x1.b7c04c7a5c1ccp-1, -0x1.5f742e7e1a259p-1, 0x1.21a3a14bce9afp-2,
     -0x1.dfd8950a2fab4p-3, 0x1.818514ac0ea78p-3, 0x1.16ffbdb985ad5p-1, 0x1.ac5e1b3d1f3ddp-1,
     -0x1.2d3583ccbf571p+2, -0x1.d9f8ae4663c1fp+0, -0x1.596623cfeec23p+0, 0x1.d5f64cfe3809cp+1,
     -0x1.52ca0371101adp+1, 0x1.0597a0c32e23cp-3, 0x1.4c1a4ff19791cp+0, 0x1.50347e60044a2p-4,
     0x1.eb6d76368d8f1p-3, -0x1.fd57c49acdfacp-1, 0x1.1302ca3c96f29p-1, -0x1.8c78f1b6600b8p-4}};
inline const golden_tensor attention_layer_data_10 =
    {{6, 6}, {-0x1.1a9dd28540555p-1, 0x1.1b98bed159a43p-1, -0x1.500780c490c84p-1, 0x1.c65dca7d08d6p-5,
     0x1.67df837cd5d1ap-1, 0x1.4d1ce9c238df2p-1, -0x1.8ee6ef1ee2157p+1, -0x1.940b42bdcb0f1p-1,
     -0x1.3c7f6e0f1b3cbp+0, 0x1.854d7dccb384p-5, -0x1.d400ed96b926cp-1, 0x1.b313e767f707cp-1,
     0x1.cc0b135197844p+0, 0x1.6244918b6a493p-1, 0x1.63db8a11f689cp-3, -0x1.3eca572498da4p-2,
     0x1.43ebb9fa20d5ep+0, -0x1.1e556f8a0567ap-1, 0x1.0d10fed83426fp+2, 0x1.1ce7776a969e8p+2,
     0x1.af3a2a095d6f9p+0, -0x1.4cd6d115ee15dp+1, 0x1.79aea09349878p+1, -0x1.496145d19c2d4p-2,
     -0x1.7217c4ea9cae9p+3, -0x1.3c0b9c3e81915p+3, -0x1.40fe29dba6e36p+2, 0x1.6897888cb65abp+2,
     -0x1.51b7fcb32e405p+2, 0x1.edd873b3a46bfp-2, 0x1.0c3a584ca8a82p+4, 0x1.95f97861adb11p+3,
     0x1.f92ce24c5d67cp+2, -0x1.6d77ff5d632dbp+2, 0x1.b62934ef84412p+2, -0x1.30312c7107674p+0}};
inline const golden_tensor attention_layer_data_11 =
    {{6, 6}, {0x1.19a8f235ad3fdp+1, -0x1.ef482552b7bd6p-2, 0x1.ac3ab463e147fp+0, 0x1.098c8a7fd684bp+1,
     0x1.ab96f9a983fc2p-1, 0x1.5c6fb59ac374p-6, 0x1.922d21924dab1p-3, 0x1.6e6bebc63a8aep+0,
     0x1.0bacfdbdcbc2ap+2, 0x1.77d39f2d82c25p+0, 0x1.9746af526756bp+1, 0x1.2bab3d9157a11p+1,
     -0x1.9d2e9bf9acb29p+0, -0x1.428c696869243p-1, -0x1.33ad042792215p+2, -0x1.d6c6bc859043bp+1,
     -0x1.6a0e5ba2d20bap+1, -0x1.7d136560f7df6p+0, -0x1.03a668c302b6p-6, -0x1.04ea139cd7c4fp+0,
     0x1.68cb72556b36cp+2, 0x1.7b47e0955ef6fp+2, -0x1.dd992311fb76cp-1, 0x1.f4919f7f8b2f7p+0,
     -0x1.04dda5016e22dp+3, -0x1.f08d0f7544aecp+2, -0x1.67e743c4f90b9p+3, 0x1.245e0e74306cp+2,
     -0x1.a5a77f487b7ccp+2, -0x1.9fbd1d3dc15b9p+2, 0x1.412905fecb5eap+2, 0x1.4fed00d8af479p+2,
     0x1.3dff6f09f5bafp+3, 0x1.b2f00480c2a56p-4, 0x1.e57b335076039p+1, 0x1.335f84dcc864cp+2}};
inline const golden_tensor attention_layer_data_12 =
    {{6}, {-0x1.facf313p+1, -0x1.ef93568p+1, -0x1.b74f91cp+1, 0x1.07fa5e4p+2, 0x1.2d09b7fp+2,
     -0x1.581d6b2p+1}};
inline const golden_tensor attention_layer_data_13 =
    {{6}, {0x1.c67439e143a22p-1, 0x1.8a002040c6daep-2, 0x1.017c271f0599p+0, 0x1.daa88062435aap-2,
     -0x1.7620541a73097p+1, 0x1.d1acaadaca518p-1}};
inline const golden_tensor attention_layer_data_14 =
    {{6}, {-0x1p-53, 0x1.8p-54, -0x1.ccp-53, -0x1.2638p-51, 0x1.8b1p-50, 0x1.9ep-56}};
inline const golden_tensor attention_layer_data_15 =
    {{6}, {0x1.01828a3f5adf7p+0, 0x1.18a264f63f9a9p+2, -0x1.beac1f72ea5b3p+1, 0x1.3011cd2ba897cp+1,
     -0x1.823bb3583399ap+3, 0x1.f599fb9542b01p+2}};
inline const golden_tensor attention_layer_data_16 =
    {{2, 4, 6}, {0x1.29cd2618c0d98p-11, -0x1.7d8f1decae3fdp-7, 0x1.92693e4de72dcp+0, 0x1.ef208f903b35cp-2,
     0x1.3b609c1a3f85dp-1, 0x1.d0eaa79088694p-6, 0x1.45e398bd56714p-4, 0x1.2d2110a678f34p-4,
     0x1.1b851b9ffe93cp-2, -0x1.00d698b83569p-4, 0x1.0f1e50af7550cp-3, 0x1.828829c6132b4p+0,
     -0x1.706b4b3ec7228p-5, 0x1.b80a6eb00588ap-2, 0x1.7c2d4bbfa9ad8p-2, -0x1.a8f1dbbce1d0fp-2,
     0x1.a0dd016228c1ap-2, 0x1.54776cf2008d2p+0, 0x1.5141bd5a0d2e6p-1, 0x1.62061ebed2176p-2,
     0x1.109e25b1f1fc6p+2, 0x1.d94db30ccae9p+0, 0x1.f0346c831287ap-1, -0x1.21c9ccfa0fe4p-1,
     -0x1.5cc609fe5fe45p+0, 0x1.f3f3292c26caap-2, -0x1.ae08d6bae3714p-1, 0x1.2bda9a18e197dp-2,
     0x1.1bacab77fbd89p-1, 0x1.507df75ef1098p-3, 0x1.d689776a94e82p-1, 0x1.6125b6503aefap+0,
     0x1.0071f32a94734p+1, 0x1.11689e33f34f7p-1, -0x1.57f93347eae6p-3, -0x1.24b1b1ad658b4p+0,
     0x1.0fad571dc903p+0, 0x1.01116a3ab5efep-1, 0x1.5921aaa724473p+0, 0x1.09615eca28d54p+0,
     -0x1.c9bd5a5df8ea7p-1, -0x1.28807628a327dp-1, -0x1.f511a83f6fb76p+0, -0x1.bf48101c4f13ep+0,
     -0x1.9294f00bb07cp+1, 0x1.062b2ec7a788fp+1, -0x1.e8a62d19a3b79p-1, 0x1.57ae28c622b8bp+0}};
inline const golden_tensor attention_layer_data_17 =
    {{2, 4, 6}, {-0x1.60c35db05ef7bp-2, 0x1.a07c92c38e39p-3, 0x1.97d97e8100729p-2, 0x1.15ca67ec97cacp-4,
     -0x1.ea1e80d2f9fa4p+0, -0x1.505cb1c5a4a5fp+0, 0x1.ab7fbbd379b88p-3, -0x1.e498c552f8a79p-1,
     -0x1.9b1667904563ap-1, 0x1.0d13f08c44ca5p-3, -0x1.65141c29ed338p+0, -0x1.9d874f912652p+0,
     0x1.79fd61ec8a79bp-1, -0x1.047e8bb0e939bp+1, -0x1.ae12c556f0d54p+0, 0x1.3abd42f795a07p-3,
     0x1.cfff539840f29p+0, 0x1.985d833ee7d0cp+0, 0x1.002509078994ep-2, -0x1.2d0dfc7280648p+1,
     -0x1.0d97376cfef77p+1, 0x1.75dad93eca3dp-2, 0x1.bc6d46333c3f6p-3, 0x1.bc3864aedd2c5p-1,
     -0x1.f362496523096p+0, 0x1.dc390ea7283f7p-1, -0x1.14ef3fcf485b9p+1, -0x1.724f401b2cb16p-2,
     0x1.0d59c125cfbefp+2, -0x1.dbb27be2d429ep+1, -0x1.bbcf4c910618dp-5, 0x1.0e45c25e64593p-3,
     0x1.e4c8dd3f1f0ffp+0, 0x1.900bec48c79ebp-2, -0x1.d2d8b5ea2ce0fp+1, 0x1.ae0763608e68dp+1,
     0x1.4c34c74dcfab9p+0, 0x1.599ad26d569d2p+1, 0x1.737fda38fe899p+1, 0x1.6ef9cb786304dp-1,
     -0x1.f44737034793cp-1, -0x1.fc12549c6e78ap-1, 0x1.76bfcc5d937b2p+1, -0x1.4ded97fd772bcp+0,
     0x1.6c6731b144c54p+0, -0x1.611d21d6dd4c2p-3, 0x1.a4ba2f19e80fdp-1, -0x1.01477fb6d6ac5p+0}};
inline const golden_tensor attention_layer_data_18 =
    {{6, 6}, {0x1.32bee2p-3, 0x1.f063c4p-4, 0x1.22011ep-3, -0x1.dd10cep-4, 0x1.57a166p-2, 0x1.9043dp-2,
     -0x1.ca51ap-1, -0x1.bf9754p-1, 0x1.634798p-4, 0x1.113f54p-3, 0x1.b6cd42p-3, 0x1.dadedp-4,
     -0x1.057e38p-1, -0x1.a78f0cp-2, 0x1.bbf538p-1, -0x1.7df87ap-1, 0x1.af4f5p-3, 0x1.812ba6p-1,
     0x1.4586fcp-1, 0x1.3cc25p-2, 0x1.ee640ep-1, 0x1.299da2p-4, -0x1.490a1ap-2, 0x1.ba2a1ap-2,
     -0x1.37a7e8p-1, -0x1.c74692p-3, -0x1.11857cp-3, -0x1.9fa994p-2, -0x1.d0506cp-4, -0x1.b237c8p-4,
     0x1.24c03p-2, 0x1.3e514ep-2, -0x1.fda3aap-1, -0x1.018b7ep-3, -0x1.05ac8cp-1, 0x1.27448ap-4}};
inline const golden_tensor attention_layer_data_19 =
    {{6, 6}, {-0x1.9bfb941af1b47p+2, 0x1.5c5edb4651d48p+2, -0x1.a2318d398c2a2p+0, 0x1.9a2c77b9bfbb6p+1,
     0x1.a6bd261812816p+2, 0x1.43ea368afecbfp+1, -0x1.0453ba18a4935p+2, 0x1.173770e5185cep+2,
     0x1.a17762640132cp+1, 0x1.22f63e1919903p+1, 0x1.4cb83ddcbf819p+0, -0x1.2ea60149f8c4bp+2,
     -0x1.72b8efa88e2p-10, 0x1.d169c591f48d8p+0, -0x1.e6b79df4525b8p-5, -0x1.2cd88c0104c4ep+0,
     -0x1.ce87d48e8c754p+0, -0x1.2aec56a9aa1edp+2, 0x1.24da3d6b99e0cp+1, -0x1.9ff268336e4edp+1,
     0x1.0574632025c7bp+1, 0x1.2cbac30e51f79p+2, -0x1.4577d27ee3e26p+1, 0x1.d9a0cd83deb16p+0,
     -0x1.0c4bd4c082ac7p+0, -0x1.39453698efe3p+1, -0x1.39a91ec267c81p-1, -0x1.ff2442181c84cp+1,
     0x1.a59b167a08cc2p+0, 0x1.1d15159bc7318p+3, 0x1.0b7eea093e72p-3, 0x1.fce8e525e2c98p+0,
     -0x1.85b3c4eda2c54p-2, 0x1.b46656453459cp+2, 0x1.49a39070c50e9p+2, -0x1.80177ddced176p-1}};
inline const golden_tensor attention_layer_data_20 =
    {{6, 6}, {-0x1.212aa891126b7p+1, 0x1.03474edd25171p-3, -0x1.63efcfa0bc19dp+0, -0x1.1523b4791f3acp-2,
     -0x1.69d9b6c0c19dp-3, -0x1.e0b0f86f030fbp-2, -0x1.f34c63024f484p+2, -0x1.945f07ff135c6p-1,
     -0x1.5c47304978f48p+2, -0x1.326664a20b1ecp+0, 0x1.0d21f7da3b58bp-1, -0x1.1269cd6626956p+1,
     -0x1.689ee323ceb2ep+0, 0x1.9362a859e1c98p+1, 0x1.71e82a741b825p+0, -0x1.81ecac003ffc8p-5,
     0x1.c3b3e77a085ap+0, -0x1.0555247d8196cp-3, 0x1.17b1833537afep+0, 0x1.9505ae620692dp+0,
     0x1.dec70ebef5d35p+1, 0x1.94cdc0fbf847cp+1, 0x1.0250ab6421bfap+0, -0x1.515188ccf6c88p-4,
     0x1.eb6b8210b9f8ap+0, 0x1.74f4a534a2fdp-1, 0x1.e2f7fee8c7f7p+0, 0x1.62cb88758b078p+0,
     0x1.9c5f8baeee76p-3, -0x1.8ab7c14a2b236p-4, -0x1.084468cccad2cp+1, -0x1.07934787f74bfp+0,
     -0x1.fafd319098ac5p+0, -0x1.078e2280bf6p-2, -0x1.43802d085992fp-1, -0x1.9c2f6b225e932p-2}};
inline const golden_tensor attention_layer_data_21 =
    {{6, 6}, {0x1.cc9dbe90e9465p+2, 0x1.27725f42a1f23p-1, 0x1.9c9a394184a4dp+1, -0x1.96a04ddd84dep-4,
     0x1.a5d298c3711p-1, -0x1.a5e8a36594aacp+1, -0x1.c7414437ca31cp+2, 0x1.5d53c99fd9f8p+0,
     -0x1.dfcf7bd702a6dp+0, 0x1.791904ded50d6p-1, -0x1.165c121fa39dfp-2, 0x1.15190046d0a83p+2,
     0x1.2119e08d91a2dp+1, 0x1.1109107546befp+1, 0x1.194697fe5e003p+0, -0x1.e23cb2ecc6956p-2,
     0x1.2474ca6ff4355p+0, 0x1.af126a4c22f31p-2, 0x1.d4d136c97740ap+2, 0x1.7c0b9205e32bdp+2,
     0x1.bbc36794b3315p+1, -0x1.0635bf3362201p+0, 0x1.bee7c6915f51ep+1, 0x1.41b4b49ffe16ap-1,
     -0x1.f381bb0125554p+0, -0x1.7b8d2d0a5e3bep-2, -0x1.719266e853644p-3, 0x1.8d815e4317316p+0,
     -0x1.8690e191549e6p+0, 0x1.d4c022d06af8ap+0, 0x1.4270b2c64d772p+1, 0x1.d7a1e17a3a7fcp-3,
     0x1.3762968c73468p-3, -0x1.cf70d1fb5c28ep+0, 0x1.3d1cf7490b723p+0, -0x1.f6d1b24a8128bp+0}};
inline const golden_tensor attention_layer_data_22 =
    {{6, 6}, {0x1.8e502aed5b61ep+2, 0x1.ba978a3931398p-2, 0x1.ef6935f575f54p+1, 0x1.cd6985bd51ab1p-2,
     -0x1.cf3344a03bf36p-2, 0x1.9c3e340c355e9p+0, 0x1.343fc0755551bp+2, 0x1.09ff2dab35117p-1,
     0x1.d4080d31371dep+1, 0x1.77f7e1811c2ecp-2, 0x1.a50a09abb46a8p-2, 0x1.81208a113d2c7p+0,
     -0x1.e51984c5e297fp-1, -0x1.0a12ea2a43da2p-3, -0x1.098e1332c24f2p+1, -0x1.6d0ceb0c05845p+1,
     0x1.0c8c97ef21ea7p+2, -0x1.ed69f909d3ae9p-1, -0x1.2c68b5d937a7cp-1, 0x1.8bf684f09d4f7p-1,
     0x1.99b9acc138188p-4, -0x1.d702c44fe66f8p-3, -0x1.252605bbe57ep-1, 0x1.4431c4cc1b44bp+1,
     -0x1.c0831f4c924fcp-1, -0x1.0ad7093217a1bp+0, -0x1.c7d68de2c933p+0, -0x1.a1d9b7e2fb003p+1,
     -0x1.d39dcff8e0f16p-2, -0x1.58ecaff9f83cep+2, 0x1.62b05ffcfa20ap-1, -0x1.66a257b4053d5p-1,
     -0x1.b4481c7d80d7fp-1, -0x1.62791fe625dfep-1, -0x1.b01673a67d469p+1, -0x1.1f9d3a614a4ep+1}};
inline const golden_tensor attention_layer_data_23 =
    {{2, 4, 6}, {-0x1.189dab3ffc8e8p-1, 0x1.0b56254d7d71p-6, 0x1.caec324abe5cdp-1, 0x1.39f3069309c33p-1,
     0x1.ff5e7964a65e9p-4, 0x1.0cd0a696c611cp-3, -0x1.62a22c412c5edp-1, 0x1.93aa5d4bb9f88p-4,
     0x1.188e053427a03p-1, 0x1.0a1cd4f7809aep-1, 0x1.a9aad468757e6p-4, 0x1.f3b856000e8eep-3,
     -0x1.c3cc68d4609f1p-1, -0x1.6ae73240843bcp-3, 0x1.0b029aa880134p+0, 0x1.cb6bca7229p-1,
     0x1.5d3ebae063311p-3, 0x1.91212e4acfcd4p-1, -0x1.0ba591792c6d7p-1, -0x1.5efda21036dcp-6,
     0x1.58c6226870a2cp+0, 0x1.53b849084ad5ep-1, 0x1.657b065177f0ep-3, 0x1.78e58af9a31cp-3,
     0x1.2150a7e221c2dp+1, 0x1.a8fde8760e3d2p-1, -0x1.7a67009c1f09p-3, -0x1.9512dfb386cap+0,
     0x1.1c1118c22bce8p-6, -0x1.00c5af7dee0cp+2, 0x1.6f85368b94781p-1, 0x1.1cf6e13d3bf3p-1,
     -0x1.962fde476b6bep-1, -0x1.e4608bdb33a58p-1, 0x1.2feb509628a1cp-3, -0x1.5d1e8395950e9p+0,
     -0x1.3df2189213835p+0, -0x1.cc69418c5748ap-1, -0x1.08b4170f2ba66p+1, 0x1.cc79eb5c1dc15p-1,
     0x1.1022d595a4b1ep-2, 0x1.4c27c5c2f9eb1p+1, 0x1.d0a59804a2ef3p-1, 0x1.1b78e78bf840ap-1,
     -0x1.6a911c29d7ecp-1, -0x1.9c4d8e30602a4p-1, 0x1.18499a816177ep-3, -0x1.95749dd2f4d76p+0}};
inline const golden_tensor attention_layer_data_24 =
    {{2, 4, 6}, {0x1.b5cd476ba21acp-3, 0x1.2008c7109ab1bp-2, 0x1.ae91a8e98d445p-4, -0x1.2519ec6c70a2ap-5,
     -0x1.7f4be9bd15ae4p-4, -0x1.8647716b4bcb9p-4, -0x1.b56f9a2b9becdp-5, 0x1.1360a066433f6p-3,
     0x1.11a4fc275b7fap-3, 0x1.5acd1a57649dp-6, 0x1.53e3d4cd0af8ap-6, 0x1.2a74692f7a4b1p-4,
     -0x1.d0cb2e49d051cp-3, -0x1.953a11dde04e9p-2, -0x1.32d015df9bf2ap-3, 0x1.5b3c170144e84p-3,
     -0x1.93d0503ec3acp-4, -0x1.c581d99e4b748p-5, -0x1.c55e0a8a5c9d3p-2, 0x1.8de1373dafd77p-5,
     -0x1.7dbe34605cd94p-9, -0x1.7a9057f018b31p-5, 0x1.2d7cb3d4473e4p-2, 0x1.5a47b8650279p-2,
     -0x1.dbfe03ce80702p-2, 0x1.2a574524a13cdp-3, -0x1.ef2b89bb9a816p-3, -0x1.6b39d3c30e05ep-2,
     0x1.bbf5b8361aeb4p-2, 0x1.6a608b32acfc5p-2, 0x1.f8582162fa7d2p+1, 0x1.472a461375e69p-1,
     0x1.3a02339cf6552p+0, 0x1.3879b9ff98fc4p+1, -0x1.dc4796424ffd7p+1, -0x1.abc47bf50c742p+1,
     0x1.91ebe06e948e9p-3, 0x1.270da525482bbp-1, 0x1.a5a48f1ccd95bp-4, 0x1.2af9e58fd2dadp-2,
     -0x1.4b6af0a7dbb4ap+0, -0x1.f874d38777d4ap-1, 0x1.b8045e6ca8d76p+0, 0x1.deddef467d67ep-3,
     0x1.45725aaefc8e7p-1, 0x1.3318c1f5006e8p+0, -0x1.bfba49dcbd39ap+0, -0x1.83ab90f53541ap+0}};
inline const golden_tensor attention_layer_data_25 =
    {{6, 6}, {-0x1.251bdcp-1, 0x1.cd295cp-2, -0x1.f9419p-2, -0x1.64b88p-2, 0x1.9945aep-2, -0x1.38dbd2p-4,
     -0x1.a86846p-5, 0x1.e4e56cp-2, 0x1.ec3cc8p-4, -0x1.573cfep-2, 0x1.fb96fcp-4, 0x1.c64ebcp-3,
     -0x1.48c9b8p-8, 0x1.b2b7aep-2, 0x1.ebe866p-2, -0x1.55137ap-2, 0x1.ebb492p-2, -0x1.d7319ep-2,
     0x1.49f45p-2, -0x1.be8bf2p-3, 0x1.417c24p-3, 0x1.64bf8ap-1, 0x1.377ac8p+0, -0x1.688db6p-3,
     0x1.f59114p-4, 0x1.b5bdaep-4, -0x1.d422acp-6, -0x1.0f7c56p-4, -0x1.0afcfep-1, -0x1.16d2c8p-5,
     0x1.09def4p+0, -0x1.b05c5ep-1, -0x1.0b1148p-2, 0x1.142afep-4, -0x1.1c24p-2, -0x1.7e608p-5}};
inline const golden_tensor attention_layer_data_26 =
    {{6, 6}, {0x1.ecc704p-1, -0x1.12bd9ep-2, -0x1.fab4a6p-3, -0x1.0ac80ep-4, -0x1.11ab8cp-1,
     -0x1.7c39acp-1, -0x1.ad81e4p-4, -0x1.75156p-3, -0x1.b7db1p-2, -0x1.bac87ep-2, 0x1.9ab3a8p-5,
     -0x1.7d895cp-4, -0x1.4f14b4p-6, 0x1.20cb1ap-2, 0x1.7dcbd8p-5, 0x1.679db4p-3, -0x1.838924p-1,
     -0x1.16c366p-1, 0x1.b87c5cp-2, 0x1.8c7b5p-4, -0x1.fb243p-2, 0x1.57dd88p-3, 0x1.a76802p-4,
     -0x1.501a1p-3, -0x1.99da5cp-1, -0x1.35a68ep-1, -0x1.c9ab46p-1, 0x1.1acd3ap-1, -0x1.53c3fcp-4,
     -0x1.0d5b72p-3, 0x1.46d5d8p-1, -0x1.660006p-1, 0x1.4f0cecp-1, -0x1.796e2ap-2, -0x1.12be4ep-2,
     -0x1.38694ep-3}};
inline const golden_tensor attention_layer_data_27 =
    {{6, 5}, {0x1.32bee2p-3, 0x1.f063c4p-4, 0x1.22011ep-3, -0x1.dd10cep-4, 0x1.57a166p-2, 0x1.9043dp-2,
     -0x1.ca51ap-1, -0x1.bf9754p-1, 0x1.634798p-4, 0x1.113f54p-3, 0x1.b6cd42p-3, 0x1.dadedp-4,
     -0x1.057e38p-1, -0x1.a78f0cp-2, -0x1.1bb68ap-3, -0x1.540a8ap-2, 0x1.4f6b24p-2, 0x1.41c898p-2,
     -0x1.3d9338p-1, -0x1.486518p-3, 0x1.ee640ep-1, 0x1.299da2p-4, 0x1.6b52a6p-2, 0x1.34143cp-3,
     -0x1.25d016p-3, 0x1.3718f2p-2, 0x1.3630d2p-2, 0x1.4f9b38p-1, -0x1.d0506cp-4, -0x1.b237c8p-4}};
inline const golden_tensor attention_layer_data_28 =
    {{6, 5}, {-0x1.3d6de2p-1, -0x1.99ef4ap-4, 0x1.999cbap-3, -0x1.590cdcp-1, 0x1.52fe78p+0,
     -0x1.3359cap-1, 0x1.d5182ep-3, -0x1.ad46bap-3, 0x1.5b6ef4p-2, -0x1.dfe88ap-2, -0x1.fe5a86p-3,
     -0x1.c54e82p-2, 0x1.e2fd1ep-2, -0x1.4d4efep-10, 0x1.2a0fccp-1, -0x1.233dbp-1, 0x1.88f7ccp-5,
     -0x1.6cafdp-3, -0x1.c8b402p-2, -0x1.bed426p-1, 0x1.0e2304p-5, -0x1.cacfeap-2, 0x1.d370bp-4,
     -0x1.80040ap-5, -0x1.7982dap-4, -0x1.81b086p-2, -0x1.49448cp-3, -0x1.9ec07p-1, -0x1.961ebep+0,
     0x1.547b2ep-1}};
inline const golden_tensor attention_layer_data_29 =
    {{6}, {-0x1.0df998p-4, 0x1.10568ap-2, 0x1.349d2cp-1, 0x1.3f0638p-3, 0x1.db6344p-3, 0x1.0323c6p-1}};
inline const golden_tensor attention_layer_data_30 =
    {{6}, {-0x1.43edccp-3, -0x1.09288cp-1, 0x1.60427ep-5, 0x1.31c83cp-1, 0x1.47abf6p-2, 0x1.44c2fap+0}};
inline const golden_tensor attention_layer_data_31 =
    {{6}, {0x1.c99cfcp-2, 0x1.72b792p-1, -0x1.463e8p-2, 0x1.8b7a9cp-4, -0x1.f1269ap-1, -0x1.dc54cep-1}};
inline const golden_tensor attention_layer_data_32 =
    {{6}, {-0x1.6027bcp-3, -0x1.a6405ep-2, 0x1.1d9f4p-2, 0x1.730cb2p-3, -0x1.23f7fcp-2, 0x1.5e4266p-1}};
inline const golden_tensor attention_layer_data_33 =
    {{6, 6}, {0x1.dcda8d8b14a38p-1, 0x1.a6f41b11e1fb4p+0, -0x1.df97493a992b4p-3, -0x1.fbd28dda2f5bcp+1,
     0x1.68b60ca927facp-1, -0x1.764f4cb97bbcap-1, -0x1.92db1683071fep+1, 0x1.6cd4a105eed5ap+1,
     -0x1.b00cb33ab4c6ap+1, -0x1.23c51c25579d1p+1, 0x1.6b7a1a31eb79p-5, 0x1.57f27b82bcbecp-1,
     0x1.af46e231a74a4p+1, 0x1.6b3bb131a9b6ep+0, 0x1.9d65776e99794p+0, -0x1.f97d3491f5cc8p+1,
     0x1.434bb72920e04p+0, -0x1.3a6bf53f699b8p+2, -0x1.e1df78ce6bc34p+2, 0x1.834c4fe30c114p-3,
     -0x1.048f5d93b28e7p+2, 0x1.2189db133ecdep+2, -0x1.0a672f43fd802p+1, 0x1.1842983a3f309p+3,
     -0x1.11c1b89e73814p+0, -0x1.9819d5da9d6e9p+0, 0x1.d3bf88592f897p+1, 0x1.05c6dae6b6072p+1,
     -0x1.a466d6d563b8cp-2, 0x1.50b1e9626d336p-2, 0x1.0c39c83e1623p-2, 0x1.9ad0eae82e46ep-1,
     -0x1.f5377131d5ce3p+1, -0x1.4018c8aaf144p+0, -0x1.71911acb1bb88p-2, 0x1.5ddfa39dac2acp+2}};
inline const golden_tensor attention_layer_data_34 =
    {{6, 6}, {0x1.ee24e0d43a0e4p+1, 0x1.73ad2001ef12ap+2, 0x1.5c50afdc117c7p+1, -0x1.1093e791edc4ep+2,
     0x1.2604f82d6dec1p+1, 0x1.3c78480a494dcp+2, -0x1.694800f38ac2ap+2, -0x1.1cc5a4f972b4ep+3,
     -0x1.04c993a19bb9cp+2, 0x1.742f984fdb208p+2, -0x1.2bc65ae1305dp+2, -0x1.ea8b02158162dp+2,
     0x1.d063f05fad714p+2, 0x1.b755d614ec6a7p+1, 0x1.213b2bc40c6cep+2, -0x1.3aa489d7de736p+0,
     0x1.2ef91200df80bp+1, 0x1.76ba8a1e4044cp+1, 0x1.85e04de376161p-2, 0x1.1fa5000f22257p-1,
     0x1.cb56d9793bd1ep-4, -0x1.25dde1c5a06f1p-1, 0x1.fdffa156faf76p-2, 0x1.d2412f317cfc6p-2,
     0x1.79dfcc45e5d9cp-3, -0x1.31dfb8454eab8p-3, -0x1.975d54c7f4b2fp-2, -0x1.32b3d514a9f28p-2,
     -0x1.987ead3735886p-3, 0x1.b9deec3adb9cp-4, 0x1.a070b4e506fa4p-3, -0x1.4981496b0ab7cp-5,
     -0x1.868ca784d6cf7p-3, -0x1.7a9126712e122p-5, -0x1.4a55b8c3421e9p-3, 0x1.0819eead7c61ep-4}};
inline const golden_tensor attention_layer_data_35 =
    {{6, 5}, {-0x1.370f94fe780b1p-1, -0x1.2b4b1122d9368p+1, -0x1.cc8be3a08598dp+2, -0x1.2f1fe4eebcd03p+1,
     -0x1.00b232596e1dcp+3, -0x1.1805420c4d71fp+0, -0x1.af1e628bf51e8p+0, -0x1.9151fd7eb9521p+2,
     -0x1.c590d0bb5f95fp+0, -0x1.b36b3b6a52243p+2, 0x1.70e6ca5bd3b19p+0, 0x1.a4d706f5cf5f8p-2,
     0x1.b33828388b798p+1, 0x1.e8794e4a871d5p-1, 0x1.0f0754c1ae76cp+2, -0x1.9115add6ab61fp+0,
     -0x1.08039d46a977ep+0, -0x1.52a2c27434a62p+2, -0x1.4f398dda55ce7p+0, -0x1.9e42485cc3243p+2,
     0x1.d647b60fab4e6p-4, -0x1.818dd93921734p-4, -0x1.5a5c304097fe9p-4, 0x1.7d50ccd0771bfp-4,
     -0x1.037702d0649aep-2, -0x1.9600cac9e594bp-3, 0x1.64d2a539af43p-4, -0x1.8026ec5d10c99p-3,
     0x1.833285f923cdp-1, -0x1.6cf1ad26b5e75p+0}};
inline const golden_tensor attention_layer_data_36 =
    {{6, 5}, {0x1.d02d2130c820ap+0, 0x1.e5d830781816cp+0, -0x1.5786cd6f5f9dap+2, -0x1.14697735269a3p+1,
     -0x1.1b3a1746c1ea5p+0, -0x1.98ce47b98a05bp+0, -0x1.dc436c066cd09p+0, 0x1.ca056586213fep+0,
     0x1.cdc117023ce6bp+0, 0x1.3423a036732bep-1, -0x1.8ca0c68be41adp-2, -0x1.e4f8d57ad5fa2p-3,
     0x1.67fcde6ab39d7p+0, -0x1.9afdc8e05e80ap-5, -0x1.5b9a9b3e84446p-1, 0x1.684c10d55242ap-1,
     0x1.3fc17ae1ca267p+0, -0x1.39722fb19cfb5p+1, -0x1.91aef19fcccfcp+1, -0x1.14d81c684e6aep+2,
     0x1.67ab14b4f80acp+1, 0x1.bec8de0837ed2p+0, -0x1.e7beb1c84bb4fp+2, -0x1.685fc5862c04dp+0,
     -0x1.30531736018e4p-1, 0x1.5eda0380a5947p-2, 0x1.fe140a446e179p-3, 0x1.7f307ae4aaf4dp-3,
     -0x1.184d9fe317783p-3, 0x1.bfb386664ed5ep-1}};
inline const golden_tensor attention_layer_data_37 =
    {{6}, {0x1.0f8488999e3dap+2, -0x1.b9792d4e1d47ep+2, 0x1.38138df915d82p+2, 0x1.1836f287ad02ap-1,
     -0x1.13cb23b3341ecp-5, -0x1.1a8466c890b9ap-3}};
inline const golden_tensor attention_layer_data_38 =
    {{6}, {0x1.ap-50, -0x1.8p-52, -0x1.cp-53, 0x1.4p-53, 0x1.58p-53, -0x1p-53}};
inline const golden_tensor attention_layer_data_39 =
    {{6}, {0x1.98f4264c11834p+0, -0x1.999895d0f24f8p+1, 0x1.0dcaf6ed1f9b5p+0, 0x1.8ce01b76d81e4p+2,
     -0x1.9831ec63a1f06p-2, 0x1.0c63ffd984afp-2}};
inline const golden_tensor attention_layer_data_40 =
    {{2, 3, 5}, {-0x1.933482p-4, -0x1.7d7edep-5, 0x1.113cfp+1, 0x1.3134e4p-1, -0x1.45194p-1,
     -0x1.d546eep-1, -0x1.b5e4c4p-3, 0x1.73ec2ap-2, 0x1.ce532cp-6, -0x1.ba8816p-1, -0x1.699adcp-2,
     -0x1.d6c6cp-3, 0x1.6a128ep+0, -0x1.eed36p-1, 0x1.9f441ap-2, -0x1.618a06p-2, 0x1.10214cp-1,
     -0x1.22968ap+0, -0x1.67a6dap-1, -0x1.4827d4p+0, 0x1.7ee59ap-3, -0x1.94bab2p-2, -0x1.6598aep+1,
     -0x1.08b8ap+0, -0x1.89478ep+1, 0x1.a32dfcp-1, 0x1.b8f518p-2, 0x1.d42c0ap-2, -0x1.35358cp-2,
     0x1.916f4cp-1}};
inline const golden_tensor attention_layer_data_41 =
    {{2, 3, 5}, {0x1.66d2159a9d2a2p-2, 0x1.0a1d532366446p+0, 0x1.674770386e893p-1, 0x1.986c29f78fcp-1,
     -0x1.7440fb657fe47p+0, -0x1.8a9ab91cb7d63p-3, 0x1.8f2df37d0e1a6p-2, -0x1.59e336618be9ep-1,
     0x1.a61c32d4c5608p-2, -0x1.767fd7d1d00e3p+0, -0x1.96ee2514c1a88p-3, 0x1.3ad6b24ee3f04p-2,
     -0x1.60b324fdaf289p-1, 0x1.67c76128d5bb4p-2, -0x1.240d709cdf2eep-1, -0x1.c496a1e9b1f09p+0,
     -0x1.4f0e6e04b6874p-1, 0x1.736ff170c6e16p+0, -0x1.4ecf370b5f5dap+1, 0x1.36f3e3affd126p+0,
     0x1.91dab27d230ep-6, -0x1.536fbf175d3edp+0, -0x1.7db6a4994d028p-2, -0x1.49cc9df4ae756p+0,
     0x1.183fd7aaa5e41p-1, -0x1.2fe0a6d73b615p+0, -0x1.5d207d1b72b45p-1, -0x1.2923e65e6ef3fp-2,
     -0x1.7debc430f863ep+1, 0x1.81a066abe7b44p-1}};

inline const std::vector<attention_layer_case> attention_layer_cases = {
    {.name = "packed", .heads = 2, .causal = true, .bias = true, .x = attention_layer_data_0,
     .dy = attention_layer_data_1, .y = attention_layer_data_2, .dx = attention_layer_data_3,
     .parameters = {{"qkv_weight", &attention_layer_data_4}, {"out_weight", &attention_layer_data_5},
     {"qkv_bias", &attention_layer_data_6}, {"out_bias", &attention_layer_data_7}},
     .gradients = {{"out_weight", &attention_layer_data_8}, {"q_weight", &attention_layer_data_9},
     {"k_weight", &attention_layer_data_10}, {"v_weight", &attention_layer_data_11},
     {"out_bias", &attention_layer_data_12}, {"q_bias", &attention_layer_data_13},
     {"k_bias", &attention_layer_data_14}, {"v_bias", &attention_layer_data_15}}},
    {.name = "packed without bias", .heads = 3, .causal = false, .bias = false,
     .x = attention_layer_data_0, .dy = attention_layer_data_1, .y = attention_layer_data_16,
     .dx = attention_layer_data_17, .parameters = {{"qkv_weight", &attention_layer_data_4},
     {"out_weight", &attention_layer_data_18}}, .gradients = {{"out_weight", &attention_layer_data_19},
     {"q_weight", &attention_layer_data_20}, {"k_weight", &attention_layer_data_21},
     {"v_weight", &attention_layer_data_22}}},
    {.name = "apart, of a context", .heads = 3, .causal = false, .bias = true,
     .x = attention_layer_data_0, .dy = attention_layer_data_1, .y = attention_layer_data_23,
     .dx = attention_layer_data_24, .parameters = {{"out_weight", &attention_layer_data_25},
     {"q_weight", &attention_layer_data_26}, {"k_weight", &attention_layer_data_27},
     {"v_weight", &attention_layer_data_28}, {"out_bias", &attention_layer_data_29},
     {"q_bias", &attention_layer_data_30}, {"k_bias", &attention_layer_data_31},
     {"v_bias", &attention_layer_data_32}}, .gradients = {{"out_weight", &attention_layer_data_33},
     {"q_weight", &attention_layer_data_34}, {"k_weight", &attention_layer_data_35},
     {"v_weight", &attention_layer_data_36}, {"out_bias", &attention_layer_data_12},
     {"q_bias", &attention_layer_data_37}, {"k_bias", &attention_layer_data_38},
     {"v_bias", &attention_layer_data_39}}, .context = &attention_layer_data_40,
     .dcontext = &attention_layer_data_41},
};

}  // namespace tensornorm_test
