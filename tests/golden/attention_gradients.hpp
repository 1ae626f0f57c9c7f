// Made by make_golden.py with PyTorch 1.13.0a0. Do not edit.
#pragma once

#include <cmath>

#include "golden.hpp"

namespace tensornorm_test {

/// The gradients of sum(dout o) as PyTorch computed them. What is null, 0 or -1 is not in force; queries and keys
/// are aligned bottom right unless the name says top left. score_peak is max|scale q k| over the visible keys,
/// rounded down.
struct attention_gradient_case {
  const char* name;
  const golden_tensor &q, &k, &v, &dout, &dq, &dk, &dv;
  double score_peak;
  const golden_tensor* score_bias = nullptr;
  const golden_tensor* dscore_bias = nullptr;
  const golden_tensor* sinks = nullptr;
  const golden_tensor* dsinks = nullptr;
  const golden_tensor* keep_mask = nullptr;
  const golden_tensor* slopes = nullptr;
  const golden_tensor* key_lengths = nullptr;
  double softcap = 0;
  std::ptrdiff_t left = -1, right = -1;
};

inline const golden_tensor attention_gradient_data_0 =
    {{2, 2, 3, 3}, {0x1.ab9768p-2, -0x1.67bbe6p+1, 0x1.187418p+1, -0x1.9826eep-1, -0x1.ae73c6p-2,
     -0x1.a91508p-1, 0x1.860e2cp-1, 0x1.9dac82p-1, -0x1.c62be2p-1, 0x1.5bcaacp+0, -0x1.d4a844p-2,
     -0x1.08db0ap+1, -0x1.ec14b2p+0, 0x1.090fa4p-2, 0x1.11bd06p-1, 0x1.a368cep-4, -0x1.850126p+0,
     0x1.1cb26p-1, -0x1.c23a8ep+0, 0x1.024a1ap+0, 0x1.750adcp+0, -0x1.4fc4e6p+0, 0x1.a2f218p-1,
     -0x1.5d6098p-5, -0x1.86f48ap-2, -0x1.edaf32p+0, -0x1.350c78p+0, -0x1.d4d33ap-3, 0x1.d80fd6p+0,
     0x1.58fc28p-2, 0x1.ae238p-1, 0x1.60a5ap-1, 0x1.8b21acp+0, -0x1.7d7e24p+0, -0x1.e3843p-1,
     0x1.0031d4p-1}};
inline const golden_tensor attention_gradient_data_1 =
    {{2, 2, 5, 3}, {0x1.31056ep+0, 0x1.0b9e4cp+1, -0x1.ceb506p-3, -0x1.251f2p-5, 0x1.aff4eap-2,
     -0x1.a58d48p+0, -0x1.8c2b4ap+0, -0x1.9b1138p+0, -0x1.0c6eep+1, 0x1.f96a3cp-5, 0x1.2a8a7cp+0,
     0x1.5cd586p-1, -0x1.71c24ep+1, 0x1.28b87p+0, -0x1.95da8ep+0, 0x1.3000c2p-2, -0x1.e1639cp-1,
     0x1.4f0028p-2, 0x1.719abcp-1, -0x1.b12876p-1, 0x1.3dfa54p+1, -0x1.f210eep+0, 0x1.9e9646p+1,
     0x1.03b1c8p-1, -0x1.b76844p+0, 0x1.7c18p-2, 0x1.8decd6p-2, -0x1.149714p-4, 0x1.3dbb3cp+0,
     0x1.7bf96cp-1, -0x1.360e14p-1, -0x1.30ede2p-1, -0x1.695066p+0, 0x1.0aea92p-1, -0x1.f1775ap-2,
     -0x1.cb5d64p-1, -0x1.e129cap+0, -0x1.02152p+1, -0x1.527726p+1, -0x1.d29462p-1, 0x1.d3ce4ap-5,
     0x1.27418p-3, -0x1.5cf4b2p-1, 0x1.549056p-1, -0x1.1f6604p+0, -0x1.5e587ap+0, -0x1.0751e6p+0,
     0x1.c50354p+0, 0x1.26d30ap-1, -0x1.81bc9ep-1, 0x1.94814cp+0, -0x1.78d4fep-2, 0x1.fbb75cp-2,
     -0x1.820e24p+0, -0x1.ef9f92p+0, 0x1.23a646p-1, 0x1.51e40ep-1, -0x1.91a0dp-3, 0x1.6e3168p-4,
     -0x1.acb9fep-8}};
inline const golden_tensor attention_gradient_data_2 =
    {{2, 2, 5, 2}, {0x1.9c276ap+0, -0x1.9ad606p-2, 0x1.f88d0ep-7, 0x1.4086f4p-2, 0x1.0c081cp+0,
     -0x1.9abac2p-4, -0x1.62859p-1, -0x1.881074p-2, 0x1.f7df48p-3, -0x1.142facp+0, -0x1.058b8cp-1,
     0x1.f017ep+0, -0x1.cea2d2p+0, 0x1.793e78p+0, -0x1.1329b4p-1, 0x1.6c163ep-1, -0x1.0d2c56p+0,
     -0x1.0947d8p-1, 0x1.3da25p-1, -0x1.d1debap+0, 0x1.f0a254p-1, 0x1.8a0abap-1, -0x1.3e4e3ap-3,
     0x1.39436ep+0, 0x1.9eef46p-2, 0x1.5193a8p-1, 0x1.0d376ap-1, 0x1.93e636p-1, -0x1.f2c7f4p-2,
     0x1.707b8p-7, 0x1.af8bccp+0, 0x1.22760ep-2, -0x1.700482p-1, 0x1.cb11ccp-2, 0x1.92dff2p-2,
     -0x1.4d62a4p+0, -0x1.54f0ecp-2, 0x1.0d0e92p-1, -0x1.250ceap+0, -0x1.6341a6p-2}};
inline const golden_tensor attention_gradient_data_3 =
    {{2, 2, 3, 2}, {-0x1.75f73ap-12, 0x1.fa4e9p-1, -0x1.9e65b4p-2, 0x1.4e85dap+0, -0x1.3e478p-2,
     0x1.b5a206p-1, -0x1.3c2f18p+0, 0x1.93f7cap+0, 0x1.b49beap-1, -0x1.8be594p-3, 0x1.409488p+1,
     -0x1.9203ccp-2, -0x1.2b28eep+0, -0x1.174b0ep-1, 0x1.bcc428p+0, 0x1.51da52p+0, 0x1.bcd398p-4,
     -0x1.dd4044p-1, 0x1.5e8964p+0, -0x1.9ea984p-1, 0x1.216b8cp+0, 0x1.4fac46p+0, 0x1.212512p-5,
     -0x1.be2846p-1}};
inline const golden_tensor attention_gradient_data_4 =
    {{2, 2, 3, 3}, {-0x1.3792be0e50a51p-5, -0x1.8281621169642p-4, -0x1.a32c6e229f054p-4,
     0x1.499ad46afb0f6p-2, -0x1.e73ecee454fdcp-3, -0x1.600afb4bd3a88p-6, -0x1.31a14b5412d5ep-5,
     -0x1.6f44ab9daf8d1p-3, -0x1.7daa8b9649aaep-4, 0x1.bb6cbf52d66b5p-2, -0x1.5b629a45b587bp+0,
     -0x1.5174760f93d48p-5, 0x1.8b15773031d8cp-6, 0x1.6a2663e055da5p-4, -0x1.b41cb0f22c1d8p-6,
     -0x1.9bcacaedfb4d1p-2, 0x1.b0451abc18a26p-2, -0x1.fc46326369866p-1, 0x1.2b1440a71ace2p-5,
     0x1.12688bcb386afp-3, -0x1.20fbcb9bd716cp-3, -0x1.360214129daf4p-4, -0x1.b01a7faa41478p-2,
     0x1.07463563ac988p-5, -0x1.451a64aafdfe3p-6, -0x1.d22569df1a27cp-8, -0x1.bb8d17847f08cp-7,
     0x1.1702af0d51255p-4, -0x1.2eb1cb0df222cp-4, -0x1.4c1a1047b17e6p-2, -0x1.a1b7051a4a00ep-2,
     -0x1.a3bf1dab90147p-3, 0x1.59040f732bf8ep-2, 0x1.bbf64c87215f9p-5, -0x1.ffad6c06c2b7ep-9,
     -0x1.4f37d49d7fe96p-4}};
inline const golden_tensor attention_gradient_data_5 =
    {{2, 2, 5, 3}, {-0x1.33758e1faec18p-4, -0x1.1de57c4e0e428p-4, 0x1.6246145c0d841p-4,
     0x1.9316942113db8p-6, 0x1.2155816601fap-7, -0x1.04e89c3f3d86p-3, -0x1.2d79e4a39ca14p-5,
     -0x1.af2896614cafdp-4, 0x1.1b223e91a0ef3p-7, -0x1.5745f2744cccp-8, 0x1.db19e6ad58991p-4,
     -0x1.ba2fcf6ade98fp-4, 0x1.7ae13a907ce7ep-4, 0x1.9b92f7aa84336p-5, 0x1.1f2b55dd8c015p-3,
     0x1.97e1c1bb5642cp-1, -0x1.51bdc8fbda4a3p-1, -0x1.04ae67ed8e1b3p+0, 0x1.da14e3df04a7cp-4,
     0x1.683afada0cbe2p-1, -0x1.e7ebaaf96da8fp-2, -0x1.26ba78d0f643bp-6, -0x1.f65b8016e3704p-8,
     0x1.5da3321c4477ap-6, -0x1.a7dfc94c61682p-5, -0x1.bda6b8f9e094p-5, 0x1.8cc539eb21643p-3,
     -0x1.af708ddbe90fp-1, 0x1.293e16332b7fp-6, 0x1.479a1ea61446fp+0, -0x1.da9bf052fda41p-4,
     0x1.3f1b36ce2d65bp-4, -0x1.08af4a50499dp-4, -0x1.140f3a1d44ac7p-6, 0x1.f12fe8ff35059p-6,
     0x1.231222a5496f2p-6, -0x1.22c0f405b46bcp-4, 0x1.daf2ffc80842bp-6, -0x1.188ed3a11f162p-6,
     0x1.db5c572a4939ap-5, -0x1.86a3ad61ed116p-6, -0x1.82f8e16c50135p-3, 0x1.2a5943a56f4f8p-3,
     -0x1.d07b05a781737p-4, 0x1.03000e59f7cb5p-2, 0x1.7e51c79c26d6ap-3, 0x1.952a67216ab8ep-2,
     0x1.c9e38f4418c54p-2, -0x1.0beedb651b5dcp-4, -0x1.6a6164bda3c58p-3, -0x1.966d61ef0456ap-3,
     -0x1.e75707b85d54bp-4, 0x1.6dbcbc8620158p-2, 0x1.785c0384bdb18p-5, 0x1.bfa100109fcf4p-4,
     -0x1.0bfbfecc6557dp-2, -0x1.f21778428fe26p-5, -0x1.c8feac2b74ca2p-4, -0x1.41ba727c5393ep-2,
     -0x1.deeadf69b8a7ap-3}};
inline const golden_tensor attention_gradient_data_6 =
    {{2, 2, 5, 2}, {-0x1.39ad5e41677fdp-3, 0x1.d20a572a69896p-2, -0x1.047f45052870cp-3,
     0x1.b56a2e41b9a07p-2, -0x1.b479225788292p-3, 0x1.414cd20036551p+0, -0x1.8b85b9f6fc346p-5,
     0x1.d3b73a7397beap-2, -0x1.648e2f8128d97p-3, 0x1.1cccc60fb5e2p-1, -0x1.1bc9299002c2p-5,
     0x1.cda467a29fd88p-1, 0x1.5959ecc0727ecp+0, -0x1.ed3700b19dddfp-4, 0x1.f41673f7ed997p-2,
     -0x1.21ad59c93c4bfp-4, 0x1.689cf29cc404fp-2, 0x1.92512a7d1ee8p-5, -0x1.0c120323da07ap-5,
     0x1.dc1d6813a5f84p-3, 0x1.78696f01463a7p-3, 0x1.b9f948754c1d8p-4, 0x1.2f6cae00b936ap-4,
     0x1.58f005946d75ep-5, 0x1.ad8c7a43dfedp-2, -0x1.23ac906fe0665p-1, -0x1.fd4beb7b096fbp-3,
     0x1.634562ea9658ep-8, 0x1.fd56ccf1a6c0cp-3, 0x1.06825c8435bd9p-2, 0x1.895cab092f25bp-2,
     -0x1.114e02b43746ep-2, 0x1.6bebe1f450283p-1, 0x1.10b4a4ff4bde2p-1, 0x1.518e5c4cfad4ap-2,
     -0x1.47eb49c4dba69p-3, 0x1.73913642e5f6cp-1, -0x1.bae9f02e7c85fp-2, 0x1.8a132a7b69c81p-2,
     -0x1.617171cbb0e29p-5}};
inline const golden_tensor attention_gradient_data_7 =
    {{2, 4, 3, 3}, {0x1.ab9768p-2, -0x1.67bbe6p+1, 0x1.187418p+1, -0x1.9826eep-1, -0x1.ae73c6p-2,
     -0x1.a91508p-1, 0x1.860e2cp-1, 0x1.9dac82p-1, -0x1.c62be2p-1, 0x1.5bcaacp+0, -0x1.d4a844p-2,
     -0x1.08db0ap+1, -0x1.ec14b2p+0, 0x1.090fa4p-2, 0x1.11bd06p-1, 0x1.a368cep-4, -0x1.850126p+0,
     0x1.1cb26p-1, -0x1.c23a8ep+0, 0x1.024a1ap+0, 0x1.7b0232p+0, -0x1.fdef38p+0, -0x1.c64cp+0,
     -0x1.b5230ep+0, -0x1.ac9576p+1, -0x1.e3eb28p-3, -0x1.707806p+1, -0x1.2572c4p+0, 0x1.79113p-3,
     -0x1.fce272p+0, -0x1.f933f4p+0, -0x1.5d377p+1, -0x1.93417ep-1, -0x1.366208p-5, -0x1.046ac8p+0,
     0x1.2a620ap+1, 0x1.750adcp+0, -0x1.4fc4e6p+0, 0x1.a2f218p-1, -0x1.5d6098p-5, 0x1.7ca38p-2,
     -0x1.668776p-2, 0x1.59e7aep-1, 0x1.029p+0, 0x1.d80fd6p+0, 0x1.58fc28p-2, 0x1.ae238p-1, 0x1.60a5ap-1,
     -0x1.337f66p+0, 0x1.c68f8cp+0, -0x1.4e7af2p-1, 0x1.4e8a4cp+0, -0x1.fd7e48p+0, -0x1.54f2cap+0,
     0x1.f4618ap+0, 0x1.2a18b4p+1, -0x1.73400ep-8, -0x1.3267e8p+1, -0x1.d6baaep+0, -0x1.669fd6p+1,
     0x1.9b73a8p-1, 0x1.f1e74ap-1, 0x1.39cceep+0, 0x1.2e0f4p+1, 0x1.29101ep+0, -0x1.04daf2p+0,
     0x1.001138p+0, 0x1.7a8d52p+0, -0x1.7e123ep-1, 0x1.cba55cp+0, -0x1.ac006ep+0, 0x1.e3c61p-1}};
inline const golden_tensor attention_gradient_data_8 =
    {{2, 4, 3, 2}, {-0x1.75f73ap-12, 0x1.fa4e9p-1, -0x1.9e65b4p-2, 0x1.4e85dap+0, -0x1.3e478p-2,
     0x1.b5a206p-1, -0x1.3c2f18p+0, 0x1.93f7cap+0, 0x1.7fd8b4p+0, 0x1.09b9cp+0, -0x1.030288p+0,
     -0x1.80d1cap-3, -0x1.de2d7cp-2, 0x1.743376p-2, -0x1.14a062p+0, 0x1.a8a572p+0, 0x1.301dccp+0,
     -0x1.97d2bcp-1, 0x1.528caep+1, -0x1.e1b636p+0, 0x1.154246p-2, -0x1.8ca3bep-1, -0x1.5e60aep-2,
     -0x1.702fa4p-3, 0x1.0977f8p+1, -0x1.5c508ep-4, -0x1.982cd6p-2, -0x1.f05672p-3, -0x1.7f66cap+0,
     -0x1.6ca2eep-2, -0x1.e31c56p-1, -0x1.0c2208p+0, 0x1.ff865cp+0, 0x1.a851f4p+0, 0x1.44d4f4p-1,
     -0x1.2d4cdp-4, 0x1.47a044p+0, -0x1.4428fcp-1, -0x1.a4a17ep+0, 0x1.675596p-2, 0x1.115abep+1,
     -0x1.77512cp-2, 0x1.450aa8p-2, -0x1.308368p+0, 0x1.0dfffap-2, -0x1.8ba04cp-5, -0x1.be826p+0,
     -0x1.c5b31ap+0}};
inline const golden_tensor attention_gradient_data_9 =
    {{2, 4, 3, 3}, {-0x1.3792be0e50a51p-5, -0x1.8281621169642p-4, -0x1.a32c6e229f054p-4,
     0x1.499ad46afb0f6p-2, -0x1.e73ecee454fdcp-3, -0x1.600afb4bd3a88p-6, -0x1.31a14b5412d5ep-5,
     -0x1.6f44ab9daf8d1p-3, -0x1.7daa8b9649aaep-4, 0x1.085fa7f4204cp-3, 0x1.05c9765652ad1p-4,
     -0x1.a2ea0abb2efb2p-4, 0x1.7bc07bd52fadp-3, -0x1.3ac7db9f087dcp-2, -0x1.ad0478c9e2224p-4,
     0x1.2d9d9876639bep-3, 0x1.6e089116ff139p-2, 0x1.33032fcb2a843p-2, -0x1.d6e1434edeec4p-6,
     0x1.0d0ae87524578p-5, 0x1.5703ae630300dp-6, 0x1.71ac9e7e5ba1dp-1, -0x1.28cd78bcdeb04p-1,
     0x1.0edc643b4001ap-6, 0x1.a0e56d57de16ep-6, -0x1.0cf20d1ac1a1ap-3, 0x1.6c04fa68b5p-12,
     0x1.1c48d2f02eae3p-2, -0x1.92a1f7368b488p-4, 0x1.1b21fb5cfcc6p-4, -0x1.0130b34e936ap-1,
     0x1.69ff5189729d7p-2, -0x1.17b08624408e2p-4, 0x1.8d32aeab8628ep-8, -0x1.9113f2c3ecb0cp-8,
     0x1.1cb790a874bep-5, -0x1.23faa47d2a88p-2, -0x1.4968f09d6358ep-4, -0x1.71fbd4b076d2p-5,
     0x1.961eb2d79c6ap-7, 0x1.4dbd5e66d0a58p-4, 0x1.5540f1ccf99bp-8, 0x1.596afbb66e668p-4,
     0x1.a438896b961cdp-4, -0x1.46cfdc14d4f44p-3, -0x1.97cfbdc649fb4p-6, 0x1.9db17d5c3df55p-3,
     -0x1.970ca34a0fa42p-4, -0x1.5872a6c2e562cp-4, -0x1.391a62833fc6ap-1, 0x1.65a4539e7254p-5,
     -0x1.e8ef134a2c5d7p-5, -0x1.015402921b623p-5, -0x1.2e4b29f8fbc18p-5, -0x1.1a3c24c6a82dp-3,
     0x1.bb6953c79ec96p-3, -0x1.698396a06187ap-1, -0x1.c72ec4273f8p-4, 0x1.4cbf2c4450c78p-4,
     0x1.abb66f662a421p-3, -0x1.5761facaad212p-1, -0x1.a051d26c0b14ap-3, 0x1.2f01cc46652e1p-3,
     -0x1.e95c5e814a318p-4, 0x1.cb511cb15be43p-3, -0x1.4de3b29149d63p-1, -0x1.875e35528347ep-7,
     0x1.60c4c0249e05ep-6, -0x1.73e75bfde45f4p-4, 0x1.f7fb3239e9c5fp-2, 0x1.6a73cb5879c7ep-3,
     -0x1.003c1a5859461p-2}};
inline const golden_tensor attention_gradient_data_10 =
    {{2, 2, 5, 3}, {-0x1.3f4ea8a0adf88p-2, 0x1.5e263a6e69d4cp-5, 0x1.80c13534f972ep-2,
     0x1.a9ed219812b2ap-2, -0x1.8492a8f2cdeb4p-3, -0x1.74eaae578e58bp-1, -0x1.ea8e4ba781f2ap-2,
     0x1.c4799e0bdb056p-3, 0x1.3508f3b487548p-2, 0x1.6abdf47828f1ap-4, -0x1.356075ed155cdp-4,
     -0x1.6dbe7963034cfp-4, 0x1.2540559212fc4p-2, 0x1.9fdba0f18f58p-10, 0x1.1ef5a43cb979dp-3,
     -0x1.2a3bc5cd7488p-3, -0x1.b46702c9087cp-4, -0x1.99955a0581e36p-3, 0x1.e3b0328208478p-7,
     0x1.b8b0436ee5ffap-5, 0x1.3383b934571d3p-4, 0x1.6d0188e9fadcp-2, -0x1.27d1510dbdebep-6,
     0x1.379f787234f9ep-1, 0x1.bb07a67b6e3ap-5, -0x1.31db9ff87c9fp-5, 0x1.9f01c13ad718cp-3,
     -0x1.1e621c66bea16p-2, 0x1.baf1055143471p-4, -0x1.5f6b0966152adp-1, -0x1.61f0fe5e43df8p-6,
     -0x1.4a4bcaecc22bp-5, -0x1.4dd6eaedf5a42p-3, -0x1.7c9064770a23p-2, 0x1.a968324156627p-2,
     -0x1.5ce1ea76f6588p-4, -0x1.5b33ae57dd0e6p-5, 0x1.2fd3e8710678ap-4, -0x1.a599e58a7c294p-5,
     -0x1.dcca6d64367f8p-3, -0x1.42dd2f81947cp-6, -0x1.89ad9a9efa25fp-2, 0x1.563d906d02a14p-1,
     -0x1.b7e5e007e6739p-2, 0x1.5e4263b28109ap-1, 0x1.d4ba651eda58p-6, 0x1.179ea4a8439bfp+0,
     0x1.cb97a1c184a66p-2, -0x1.0ca709c54b1d4p-1, -0x1.1bfa91768604ep+0, -0x1.5a6d3c9cc4248p-5,
     0x1.d524160930addp+0, 0x1.86103f7ad1dcap+0, 0x1.f9d3c35cbc8cap-3, -0x1.d7775eb01cb18p-2,
     -0x1.7f0e16adc6de8p-2, -0x1.9458089f1ee6bp-2, -0x1.c08b461dfeb86p-1, -0x1.21f0cd011dbcp+0,
     -0x1.08dbd33d2b812p-2}};
inline const golden_tensor attention_gradient_data_11 =
    {{2, 2, 5, 2}, {-0x1.61e7eee0d479cp-2, 0x1.56a1a9e340609p-1, -0x1.7cb34045c99a3p-1,
     0x1.1b8ecbee525cdp+0, -0x1.278ba4c0a42b4p+0, 0x1.d913ae4a7e23p+0, -0x1.105252576b6e6p-3,
     0x1.0f155eb84a7b2p-1, 0x1.d39be4e617092p-1, 0x1.6c9777396a12ap+0, 0x1.87b5782ec40ap-5,
     -0x1.d0bef8605d19p-5, -0x1.327739f9015eep-2, -0x1.8cf6672c291ep-3, 0x1.60b0d6dc23aaep+0,
     -0x1.cea40fedd9f4p-1, 0x1.d0139140a1b9ep-1, -0x1.5639f6bfb6a2ep-2, 0x1.734a8202ad7c4p-3,
     -0x1.f3fcdb09d50acp-4, 0x1.8e40225158ed4p-2, -0x1.33e1f34425d58p-7, 0x1.5dec819dc6afp-1,
     -0x1.3c184ff3376fdp-2, 0x1.7ccbc3ef416d9p-1, 0x1.1bfb8e6e1fc6bp-4, -0x1.a0543c4008fa4p-2,
     -0x1.123d57edde2b9p-2, 0x1.d425fcd49fd4p-2, 0x1.7a80055faed87p-2, 0x1.2f1b8a2de3908p-5,
     -0x1.4a098a8fe6b3cp-2, -0x1.528dfe8f1092p-5, -0x1.d59032750acf8p+0, -0x1.4c37644a5f1a8p-3,
     -0x1.96f60ef3f7bcdp-1, 0x1.4e1a84e0aa71fp-3, -0x1.750f8a3c26de8p-4, 0x1.39a774207ffa8p-1,
     -0x1.3b90a5527a6eap-1}};
inline const golden_tensor attention_gradient_data_12 =
    {{2, 2, 3, 3}, {-0x1.43cf3d7244e5cp-7, -0x1.40cb637f779bep-5, -0x1.ac539577063bep-4,
     0x1.24e92047c4e8ap-1, -0x1.183577af64724p-3, 0x1.56bc872257598p-5, -0x1.2776bea6df904p-8,
     -0x1.1a058ef8c4513p-5, -0x1.b906626a9cb62p-4, 0x1.955226925e9e4p-2, -0x1.e601b3afbff7ap-3,
     0x1.b9fb51476be6cp-4, 0x1.1aac743c4e9aap-4, 0x1.7712800da03c1p-3, -0x1.08f12410b32a8p-4,
     -0x1.b950c3c5326a5p-2, 0x1.b89af1c8efbe8p-3, -0x1.7b496faf5c726p-2, 0x1.a077ef5ce09c8p-5,
     0x1.8b3ee08779444p-2, 0x1.1a558b6834ff8p-3, 0x0p+0, 0x0p+0, 0x0p+0, 0x1.2e4153388e29p-9,
     0x1.e7831c504a8cap-8, 0x1.d046192806506p-9, -0x1.d54a4385846bap-3, -0x1.37aa9d48114c6p-4,
     -0x1.7c383ccbd6f1ap-4, 0x0p+0, 0x0p+0, 0x0p+0, 0x1.05c627f1b9956p-4, 0x1.5bb15852e7942p-4,
     -0x1.5dc489b71526bp-3}};
inline const golden_tensor attention_gradient_data_13 =
    {{2, 2, 5, 3}, {0x1.b36d375400d6cp-10, 0x1.f0b1eb1bbae59p-7, -0x1.ad01730c545b4p-8,
     -0x1.6bb9dea2b5c3cp-4, -0x1.5b9e804c364bap-3, -0x1.68d8af6388bbap-4, 0x0p+0, 0x0p+0, 0x0p+0,
     -0x1.2d52b446ff68p-4, 0x1.1e0bdf256ec72p-4, -0x1.29e3e56d3aap-4, 0x1.491f6f0632942p-3,
     0x1.5b1ae40f86737p-4, 0x1.56c65600c450ap-3, 0x1.81e275e692b52p-3, -0x1.f39c9d53f8fe3p-5,
     -0x1.162f183298abep-2, 0x1.439bfe21e011ap-3, 0x1.d65f44dc0b424p-3, -0x1.ed1f84461bc3cp-3, 0x0p+0,
     0x0p+0, 0x0p+0, -0x1.a03e9f81117ebp-4, -0x1.9cfc50aded0dcp-3, 0x1.c704d272f079p-2,
     -0x1.f55f2447ea06bp-3, 0x1.0e10cc9b80275p-5, 0x1.16e81f8ad850bp-4, 0x1.5739dec387919p-2,
     -0x1.82ce9dac57601p-3, -0x1.19e6a08db081dp-2, 0x0p+0, 0x0p+0, 0x0p+0, 0x1.8bc7956c53e08p-4,
     -0x1.a27766df872c4p-5, -0x1.3b491cdce81b3p-4, 0x0p+0, 0x0p+0, 0x0p+0, -0x1.ba2bc41e9c89bp-2,
     0x1.eb6c7764392afp-3, 0x1.68b8e7c4ea888p-2, 0x1.baba79cdba154p-5, 0x1.66958e3c0ccc2p-2,
     0x1.7b60bdf479974p-6, 0x0p+0, 0x0p+0, 0x0p+0, -0x1.ea650b6f0be2cp-4, 0x1.aeeab3f0f8f3bp-2,
     0x1.aea14278c185ap-4, 0x0p+0, 0x0p+0, 0x0p+0, 0x1.0d07ce882ed82p-4, -0x1.8ac0211682ep-1,
     -0x1.06bcb8faeff5dp-3}};
inline const golden_tensor attention_gradient_data_14 =
    {{2, 2, 5, 2}, {-0x1.1ceb9ede6058ap-6, 0x1.07ac7eee9064bp-3, -0x1.3878832dc2638p-2,
     0x1.044be526a2851p+0, 0x0p+0, 0x0p+0, -0x1.ec2f2235c256ep-4, 0x1.1f6f47d837cbap+0,
     -0x1.17b7ac2567014p-2, 0x1.c39ad046a7458p-1, -0x1.e36a5a50992d5p-1, 0x1.430076f16edfdp+0,
     0x1.116c5c06626c4p+1, -0x1.ca43db05175c6p-3, 0x0p+0, 0x0p+0, 0x1.9c93860427f3p-1,
     -0x1.21520e89d7326p-6, 0x1.fda9f1973c4cfp-4, -0x1.ce23b5a925e42p-6, -0x1.07073476ba186p-2,
     -0x1.7030c203d291bp-3, 0x0p+0, 0x0p+0, -0x1.8ac004e69c0a8p-5, -0x1.ddcd75cd73256p-1, 0x0p+0, 0x0p+0,
     -0x1.8287ce7639332p-1, -0x1.75635763306c8p-2, 0x1.24ec191e9b019p-2, -0x1.c4884e1dbc32fp-1, 0x0p+0,
     0x0p+0, 0x1.3533427554772p-1, -0x1.a20bb1138ab03p-2, 0x0p+0, 0x0p+0, 0x1.077bca1b5e084p-1,
     -0x1.8e8746b0fcea1p-2}};
inline const golden_tensor attention_gradient_data_15 =
    {{2, 1, 3, 5}, {0x1p+0, 0x1p+0, 0x0p+0, 0x1p+0, 0x0p+0, 0x1p+0, 0x1p+0, 0x0p+0, 0x1p+0, 0x1p+0,
     0x0p+0, 0x1p+0, 0x0p+0, 0x1p+0, 0x0p+0, 0x1p+0, 0x0p+0, 0x1p+0, 0x0p+0, 0x1p+0, 0x0p+0, 0x0p+0,
     0x0p+0, 0x0p+0, 0x0p+0, 0x1p+0, 0x0p+0, 0x1p+0, 0x0p+0, 0x1p+0}};
inline const golden_tensor attention_gradient_data_16 =
    {{2, 2, 3, 3}, {0x1.a9ae6b16380cbp-7, -0x1.16d85dd59ac2ap-6, -0x1.6491c83f78a57p-5,
     0x1.7cdf9ce359bdbp-2, -0x1.4a7fac22ff07fp-3, -0x1.472d60cdce0cp-6, 0x1.0aed259882d2cp-5,
     -0x1.529a314897c1bp-3, -0x1.fadcd2641342ep-4, 0x1.c149477789547p-3, -0x1.b5878b6697f3ep+0,
     0x1.1764657f15254p-3, 0x1.b0c217245d59ap-4, -0x1.74f56fb0541a1p-4, -0x1.881aa7a999c2p-7,
     -0x1.0c24cab511ad6p-1, 0x1.337d7e169deeep+0, -0x1.31bea8ff339a8p+0, 0x1.5dba6165da9d4p-5,
     0x1.b4a553dcae841p-3, -0x1.a83b63f098bfp-4, -0x1.a41dc4431db2ep-4, -0x1.1bab8789ad221p-1,
     -0x1.17cbd66bb49d2p-3, -0x1.18d2ef4ffe393p-5, -0x1.0d8858b44b492p-6, -0x1.7e73c6246dab4p-6,
     -0x1.411177cb79d9p-3, 0x1.71d363d45c438p-3, -0x1.45bdda4d39e47p-1, -0x1.46d7dd6271b96p-5,
     -0x1.f9dd7f9cdb128p-3, 0x1.ca05f76822c55p-2, 0x1.56d5213f63163p-6, 0x1.435252e916778p-3,
     -0x1.635fdcc8ab777p-2}};
inline const golden_tensor attention_gradient_data_17 =
    {{2, 2, 5, 3}, {-0x1.184f418d3286ep-4, -0x1.083a8adfe5635p-4, 0x1.3cc77963ecb7cp-4,
     0x1.9e71f28c28d9p-6, -0x1.728aedbfd7c8p-7, -0x1.58d8b5d2164c5p-3, -0x1.ce7bdf62e6316p-6,
     -0x1.8d127093b0ba2p-7, -0x1.192e801da42fbp-6, -0x1.d9ea81b8f14a2p-8, 0x1.931f7c17a4248p-5,
     -0x1.5111c20eedc1p-5, 0x1.41f064de70f1cp-4, 0x1.3d3cf13d08c2cp-5, 0x1.31df39a78fe6ep-3,
     0x1.ca4ef93e4bc12p-1, -0x1.cb6150f6ce1f8p-2, -0x1.4a4888a2b50f6p+0, 0x1.334be1ec0b7b7p-2,
     0x1.c4790285c3fe6p-1, -0x1.c726168f1c363p-1, 0x1.1c7d82099102p-2, -0x1.9b59a2486b90ep-4,
     -0x1.077c82ee2d342p-2, 0x0p+0, 0x0p+0, 0x0p+0, -0x1.7919d59c8dp+0, -0x1.56ba4b829ef98p-2,
     0x1.37dd5a52e73bdp+1, -0x1.8293827331eep-5, 0x1.18b4ed84323a1p-5, -0x1.323401ee465c5p-4,
     -0x1.2c56144b7cc3ep-5, 0x1.d6f41d938154cp-5, 0x1.7fc672f26981p-9, -0x1.02fcf48b7a966p-3,
     0x1.b22b50b77aa7fp-5, -0x1.d7cec85df5d8cp-5, 0x1.16d46c4445893p-3, -0x1.2ef1b101dd73bp-4,
     -0x1.6ea73d6650464p-3, 0x1.2fc5dbedc1736p-4, -0x1.21f87ce5b9a73p-4, 0x1.3bdaeb5493a27p-2,
     0x1.8814e7dc3c351p-3, 0x1.9eb4b0277098ep-3, 0x1.484d20582c948p-3, 0x1.9152199fabe92p-3,
     0x1.a2fa1efd9fddp-8, 0x1.1c799083b9c7ap-3, -0x1.085d952484bafp-2, 0x1.3555f7100502p-1,
     0x1.14823f7d66888p-3, 0x0p+0, 0x0p+0, 0x0p+0, -0x1.08abd732dea86p-3, -0x1.a0491757dc68p-1,
     -0x1.bca4782ca6726p-2}};
inline const golden_tensor attention_gradient_data_18 =
    {{2, 2, 5, 2}, {-0x1.4d1a06dd996a7p-4, 0x1.ef43517f69edcp-3, -0x1.f9d4bb533c0e5p-3,
     0x1.ab4ed6cbebfc2p-1, -0x1.cbfb58fcf4d3cp-3, 0x1.74819da358aeep+0, -0x1.e0e7201e1d2bdp-7,
     0x1.2a7c3b0d138cp-3, -0x1.2fa9d9dc2095fp-3, 0x1.e474a994868f4p-2, -0x1.851ae44aeebp-6,
     0x1.7e8b9efff6214p-2, 0x1.a86028864c0abp+0, -0x1.2659399e8bdbep-3, 0x1.6073fac023a45p-1,
     -0x1.55e169cdb2512p-5, 0x0p+0, 0x0p+0, -0x1.99ee6aa991116p-3, 0x1.9ba2de84830b7p-1,
     0x1.5e6cf2d4515bp-4, 0x1.031bc1a3d6f0dp-4, 0x1.f170519576c1dp-4, 0x1.7c668ca7a40ddp-4,
     0x1.0d3d512069828p-1, -0x1.fb8ca513e7e91p-2, -0x1.9c461b91eae63p-3, -0x1.91631e061d1f5p-5,
     0x1.2aa5d0db60cddp-3, 0x1.d8563283999aap-3, 0x1.08bfb475cc08ap-3, -0x1.cfa26f796a9bep-3,
     0x1.6c8caa615038ap-1, 0x1.eb6e09a80d83fp-2, 0x1.6811e360d09edp-1, -0x1.9d7efcad74116p-2, 0x0p+0,
     0x0p+0, 0x1.fb2db6406c266p-1, -0x1.c220a27bc848ep-3}};
inline const golden_tensor attention_gradient_data_19 =
    {{2, 1, 5}, {-0x1.54d6b2p-2, 0x1.058614p+0, 0x1.08b18p-1, -0x1.b59ac4p-1, 0x1.255fb2p-2,
     -0x1.ffab58p+0, -0x1.c23aa4p-1, -0x1.fabe4ap-5, -INFINITY, 0x1.a591e4p-4}};
inline const golden_tensor attention_gradient_data_20 =
    {{2, 1, 5}, {-0x1.3f65f2da83172p-4, 0x1.15c5efeae9d7bp-1, 0x1.c440606c3edb9p-3, -0x1.0cfed2a0b83a2p-3,
     -0x1.1ba995027b1d5p-1, 0x1.70cc238f9cd64p+0, -0x1.79241a9aeb7a2p-1, 0x1.d4c3592437217p-1, 0x0p+0,
     -0x1.9e9bc2d442a9ep+0}};
inline const golden_tensor attention_gradient_data_21 =
    {{2, 2, 3, 3}, {-0x1.afb82a3936781p-5, -0x1.0ce60b44f6cb8p-4, -0x1.5979c0499f0b5p-4,
     0x1.d88c4f39a22bep-4, -0x1.bb6e5f06cad84p-6, -0x1.720cc018ee8d3p-4, 0x1.3e68c8ae109e2p-4,
     -0x1.fea91fddb48ecp-5, -0x1.af97bbb638cacp-6, 0x1.e4e7069ab41cap-3, -0x1.a892997c5755cp-1,
     0x1.789b111d7b688p-6, -0x1.f9554b566cb46p-6, 0x1.7750189cb57c9p-3, -0x1.0a2de56bae207p-4,
     -0x1.85a0f762a8531p-3, 0x1.e927266e3cb2dp-3, -0x1.3834419f5a5afp-2, -0x1.3a021f5e767c8p-6,
     0x1.0f9576d295c1cp-3, -0x1.2afb4cbc96157p-3, -0x1.8a1cba9f7e88p-4, -0x1.5b0c1d460073dp-2,
     -0x1.a34806b2afb38p-5, -0x1.53df0502221dp-5, 0x1.308b3d0ec131ap-5, -0x1.ffa975758c344p-8,
     -0x1.cca3cf63dc5a7p-6, -0x1.19b9285439c65p-5, -0x1.2e2a3d7b0a4bap-2, -0x1.7550c3802f505p-2,
     -0x1.fef54b6042209p-3, 0x1.b0cfb87950097p-2, 0x1.2de7b64eb8db6p-7, 0x1.d042ad913cdb6p-6,
     -0x1.dbd676424960cp-4}};
inline const golden_tensor attention_gradient_data_22 =
    {{2, 2, 5, 3}, {-0x1.4ab67b6f58f62p-6, -0x1.7fc118ed14274p-6, 0x1.289e8e8111c91p-5,
     -0x1.7512f13602dfp-6, 0x1.ecdb37059485p-9, -0x1.144b6c6e5ebb8p-3, 0x1.1f566df7e7e2p-7,
     -0x1.959a88c12ab8dp-4, 0x1.1a30476db9247p-4, 0x1.26f54dc724f88p-8, 0x1.4fdab098b5745p-5,
     -0x1.b2541d42f104ap-5, 0x1.9d738647102cp-8, -0x1.898010474811ep-7, 0x1.3584aa3095f6cp-4,
     0x1.59c66d1c8300bp-1, -0x1.cd60d99ab2c46p-2, -0x1.cc837868577d1p-1, 0x1.1003f1f233ee8p-3,
     0x1.12ba387aa9485p-2, -0x1.abf25be64b50ap-3, 0x1.765966b1f56fbp-12, -0x1.0bb6b538b2ef6p-8,
     0x1.aea0712e5d40cp-9, -0x1.074c28d70d04bp-6, -0x1.db2e6d885356cp-5, 0x1.4dcbd14f7304cp-4,
     -0x1.21b0b199e6f0bp-1, -0x1.42fa919334cb6p-4, 0x1.6c62d11bdf10dp-1, -0x1.076812da68d4cp-3,
     0x1.411a0aebf9b69p-4, -0x1.dd098ee93a398p-5, -0x1.396b48b5861p-14, 0x1.3dc35a68bcbe9p-4,
     0x1.7df2c3035dee7p-5, -0x1.d640372b28d19p-5, 0x1.2474130ab110ap-5, -0x1.afeeefb13373bp-8,
     0x1.8bd1cf6efa8ccp-8, 0x1.459b4943a8ae8p-8, -0x1.c92f3052d2ba9p-4, 0x1.afbfd97ae3e1ap-8,
     -0x1.6c2cbeb2ee23p-4, 0x1.baf5853a5bdf6p-3, 0x1.8e38c64a8cbbcp-3, 0x1.862b3e1202536p-2,
     0x1.c01ab51850b1bp-2, 0x1.e5a146bc18cp-14, -0x1.f030729a1f888p-4, -0x1.a824f65384afcp-4,
     -0x1.19f0f63bc3d64p-3, 0x1.5d0dd5974c65p-2, 0x1.05a386dcee89p-4, 0x1.0a9db5021e95bp-4,
     -0x1.630e3fc6ea619p-3, -0x1.08a2c6aec8821p-5, -0x1.22952221fb89ap-3, -0x1.6a2542d071cb1p-2,
     -0x1.0f060f52855eep-2}};
inline const golden_tensor attention_gradient_data_23 =
    {{2, 2, 5, 2}, {-0x1.11d14b0dc9d51p-3, 0x1.02408edf3fe38p-1, -0x1.4dfdac1949eddp-3,
     0x1.3cdedfc444894p-1, -0x1.670c5a469605fp-3, 0x1.d92b96beb6956p-1, -0x1.0ecac01f6219ap-4,
     0x1.b0a69a906e0b4p-2, -0x1.6bd4b21fa52a7p-3, 0x1.5c5df7558df87p-1, 0x1.189396feca63p-2,
     0x1.44d679e4059aep-1, 0x1.149ddd62f5e1ap+0, -0x1.7ee7003ff8cap-7, 0x1.1acfad1ac635fp-2,
     0x1.4b6b512fdd957p-4, 0x1.9a1505068edb7p-2, 0x1.6f9b346247ccap-4, 0x1.74bfd55024162p-4,
     0x1.96e269aad66fep-3, 0x1.a1798560abe75p-3, -0x1.7815a88b5c91p-4, 0x1.2f23ef5783af7p-4,
     -0x1.ec3a22306f46p-4, 0x1.5e7472f15d18dp-2, -0x1.2e732e721e39p-4, -0x1.58878668e0164p-3,
     -0x1.d8c0f42856a9p-6, 0x1.cdd6bf79b825bp-3, 0x1.411ee31bffdd4p-3, 0x1.ab4650d6b083dp-2,
     -0x1.776616ae3b4b8p-4, 0x1.4531dda73432ap-1, 0x1.8275b9a6580cap-2, 0x1.73069bcc2b451p-2,
     -0x1.5b2d8c2ccb66fp-3, 0x1.67c3b9545d82ep-1, -0x1.ae7e67e4b425p-2, 0x1.abc047a600ccp-2,
     -0x1.0de607febd84bp-4}};
inline const golden_tensor attention_gradient_data_24 =
    {{2, 2, 3, 3}, {0x1.ce406e07229c1p-8, -0x1.af6f8667425dap-6, -0x1.a4d7ee8b09709p-7,
     0x1.6ccb45587e0dap-2, -0x1.ac46c6f8cc04p-3, 0x1.5f90bd7b93ac4p-5, -0x1.31b5845b07156p-5,
     -0x1.8b832032dc6a7p-3, -0x1.dc57a4910cb3bp-5, 0x1.7e6e28acb3ef2p-2, -0x1.3638323324d74p+0,
     0x1.a37670c8b8b1p-5, 0x1.e695d4eef758dp-6, 0x1.48403387f7de2p-4, -0x1.cf7aa9b4aeb2ap-6,
     -0x1.a43f1e4797d4fp-2, 0x1.cc4f0603c71d8p-2, -0x1.0fa21024602e3p+0, 0x1.6663bc2c72567p-4,
     0x1.92ba58308257fp-4, -0x1.29b4d3059068ep-4, -0x1.2aa97445b2b49p-3, -0x1.8665685b07604p-2,
     -0x1.45cfe77c5a618p-4, -0x1.5524d6407a0c8p-7, 0x1.6b76a18cc3fa9p-9, -0x1.300245583a29p-13,
     0x1.1f7f451eb238ep-4, -0x1.25a729930b98bp-4, -0x1.3ef48d590dd69p-2, -0x1.93978aa3dedb4p-2,
     -0x1.97f4cc3519c03p-3, 0x1.50757c3da9572p-2, 0x1.c7abb4166068cp-5, -0x1.8b9cc852b6d01p-9,
     -0x1.52ffb9d4b0208p-4}};
inline const golden_tensor attention_gradient_data_25 =
    {{2, 2, 5, 3}, {-0x1.322c21b646549p-4, -0x1.3013f9e9dfec6p-4, 0x1.72f824abc8104p-4,
     0x1.90c98ecd2e28p-7, 0x1.ab6affdf232eep-6, -0x1.f48d218509dafp-4, -0x1.14d924b8b6aa3p-5,
     -0x1.f80a0ca58f073p-8, -0x1.4cd09090c8936p-5, -0x1.a291c4e24cecp-9, 0x1.310973f3b488ap-4,
     -0x1.254e72df45c28p-4, 0x1.81c74d5746542p-4, 0x1.67afcbfa05607p-5, 0x1.284edb8bc7f06p-3,
     0x1.a460ad7935376p-1, -0x1.410bc48e63a54p-1, -0x1.132b4b762ac37p+0, 0x1.c11905c4cfe1ep-4,
     0x1.7889957463facp-1, -0x1.ed54b1144cb5p-2, -0x1.9389ea997a3dep-8, -0x1.3fa859ba826cp-7,
     0x1.07491d3e9cd96p-7, -0x1.f7ab802de3b5p-7, -0x1.c769d09017daep-5, 0x1.143e862aa763ep-3,
     -0x1.6465ab38bb592p-1, -0x1.2dcc515903ee8p-6, 0x1.0d5db3fc2c80bp+0, -0x1.c14c75cfaac26p-4,
     0x1.3065795db2ff4p-4, -0x1.d77a23278e831p-5, -0x1.fd89f2010848ep-7, 0x1.ea2745bffd5b6p-6,
     0x1.71d801f6649bfp-7, -0x1.3fdc637e324d5p-4, 0x1.69aff8758e924p-5, -0x1.eef8f860287cfp-7,
     0x1.3b4d974dadc49p-4, -0x1.1a726139c8069p-5, -0x1.a7d7eb5fe9387p-3, 0x1.1934867bef3bdp-3,
     -0x1.a4b301790f932p-4, 0x1.4ed9a769f1f9dp-3, 0x1.75424c919ad6cp-3, 0x1.856cdae2128a7p-2,
     0x1.b99e9417334a8p-2, -0x1.f5c6852486186p-5, -0x1.5a7b2348c357p-3, -0x1.835dc81cc90c1p-3,
     -0x1.d62450f568996p-4, 0x1.5af88e99a7ac3p-2, 0x1.66a10c3e2c79p-5, 0x1.b9976e4085d86p-4,
     -0x1.026cb4e6aae9p-2, -0x1.e39254600c986p-5, -0x1.b8c5d712bcc08p-4, -0x1.3634c502ab4bdp-2,
     -0x1.cc7728250720ep-3}};
inline const golden_tensor attention_gradient_data_26 =
    {{2, 2, 5, 2}, {-0x1.111e199cdd241p-3, 0x1.87e2e8aeccff2p-2, -0x1.cce7a934b9b81p-4,
     0x1.68cb8abad9b7ap-2, -0x1.8c5ca7366a986p-3, 0x1.b36b8ae368ef7p-1, -0x1.5b727d1f542acp-5,
     0x1.011510b88d133p-2, -0x1.429d6aeb0ef85p-3, 0x1.ff59a0ad9fd8cp-2, 0x1.d72ace44c47fp-5,
     0x1.839121a915709p-1, 0x1.50d9fc4a78c12p+0, -0x1.0782d62a90603p-3, 0x1.f3a6b3f63a0c6p-2,
     -0x1.3878a78b70012p-4, 0x1.6f2438e9cc55ep-2, 0x1.f61b62f4d65a8p-6, -0x1.dd82fb57e82bp-8,
     0x1.8f6bd37442917p-3, 0x1.488f44ec36beep-3, 0x1.58ad9c97a94a4p-4, 0x1.0cd13882ac1b3p-4,
     0x1.0a4d6236b9a6p-5, 0x1.772227a97a4b5p-2, -0x1.32f034548e3ap-1, -0x1.350e2a961f533p-3,
     0x1.d2b7f7c06232cp-6, 0x1.d13ac699c8604p-3, 0x1.c302f0996b9ccp-3, 0x1.7ab56b6bd4a4ap-2,
     -0x1.106cc19d4c9e1p-2, 0x1.5e77e5825715fp-1, 0x1.068dca672d6eap-1, 0x1.432e01a96ffe4p-2,
     -0x1.3ac74cbd755ecp-3, 0x1.6402d6a03514ap-1, -0x1.acf6196c14f5ep-2, 0x1.7a0eac3c5eec1p-2,
     -0x1.545148666a955p-5}};
inline const golden_tensor attention_gradient_data_27 =
    {{2}, {0x1p-1, -0x1.4p+0}};
inline const golden_tensor attention_gradient_data_28 =
    {{2}, {0x1.193f86cd15b9cp-3, -0x1.2e53a7f0414afp-3}};
inline const golden_tensor attention_gradient_data_29 =
    {{2, 2, 3, 3}, {0x0p+0, 0x0p+0, 0x0p+0, -0x1.35694d181c1d2p-3, -0x1.a4c2d1b43e8dp-3,
     -0x1.66310a1b4ecbfp-3, -0x1.59b4079e75afbp-3, -0x1.d60497579ff05p-3, -0x1.8bce4c04ace09p-3, 0x0p+0,
     0x0p+0, 0x0p+0, -0x1.f8ef43c02892bp-5, -0x1.bfab46cfd18a8p-7, -0x1.405708ad2adb6p-2,
     -0x1.94122bb2a2b67p-3, 0x1.28742d9c645b4p-7, -0x1.bde42a1dfeb9dp-1, 0x0p+0, 0x0p+0, 0x0p+0,
     -0x1.8067a2474d7c8p-3, -0x1.2b860674cf4f8p-6, -0x1.5ecbd7959c4b4p-4, -0x1.845bf10f5dc4ap-6,
     -0x1.fe50f1064aea4p-7, -0x1.1e6ae538158bbp-6, 0x0p+0, 0x0p+0, 0x0p+0, -0x1.299b6274d3cccp-1,
     -0x1.50fb220f56ab6p-4, 0x1.d00ae3ca33418p-5, 0x1.21ba22876d6ccp-8, 0x1.f03aed8eac16ap-5,
     -0x1.1b3d0299cafdp-3}};
inline const golden_tensor attention_gradient_data_30 =
    {{2, 2, 5, 3}, {-0x1.4e1a102ac991p-8, -0x1.d8f6aa18a2348p-5, 0x1.c77c2684c35c8p-3,
     0x1.f72a02c39102p-9, 0x1.ce062336a92f3p-5, -0x1.c47b7a4c6d996p-3, 0x1.4a143b24043d3p-10,
     0x1.5e10dc3f20aa2p-10, -0x1.80561c2ae1896p-10, 0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0,
     -0x1.e86d048e6f28cp-3, -0x1.1ed79a826f91ep-1, 0x1.2f64ee08d8c06p-2, 0x1.e60f1ba200f7p-3,
     0x1.279f8ad1d33e4p-1, -0x1.35d21b21b1fd7p-2, 0x1.2ef4763718d68p-10, -0x1.18fe09ec75966p-6,
     0x1.9b4b46364f526p-8, 0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0, -0x1.bed07280e9b9ap-3,
     0x1.1a20e864787a6p-3, -0x1.954aed9e56022p-8, 0x1.c6d0402a0a2c9p-3, -0x1.e372ab71ccd86p-4,
     0x1.2fabbb0809dbap-6, -0x1.fff36a481cd37p-9, -0x1.433c955c90703p-6, -0x1.94b1ff40e8b78p-7, 0x0p+0,
     0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0, 0x1.24c2c7af0649ap-2, 0x1.d2ca7a41df794p-3,
     0x1.cc8be14895685p-2, -0x1.c5357c0ba196bp-3, -0x1.7ef130a80883ep-3, -0x1.e2c2a6234d95ap-2,
     -0x1.08a026a4d5f94p-4, -0x1.4f6526675bd58p-5, 0x1.636c4dab82d4ep-6, 0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0,
     0x0p+0, 0x0p+0}};
inline const golden_tensor attention_gradient_data_31 =
    {{2, 2, 5, 2}, {-0x1.fe15121b7657cp-3, 0x1.b43b4e979c03cp+0, -0x1.c3ce9b770abacp-2,
     0x1.6040c85139703p+0, -0x1.a318d49ba1957p-6, 0x1.2020e172a8c12p-4, 0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0,
     0x1.ebe022313d58p-8, 0x1.5b432b52c6cd8p+0, 0x1.0c111185e68f9p+1, -0x1.71dd3843f7a79p-2,
     0x1.4e7a748068df9p-6, -0x1.a3718391c714dp-9, 0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0, 0x1.573b486d3c1bp-5,
     0x1.40c0078f8f1f1p-2, 0x1.12b2e54fb6004p-1, 0x1.834e6d92d1633p-2, 0x1.9552694bb1f09p-4,
     -0x1.b2dde89130411p-1, 0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0, 0x1.ba8c34dfe50b9p+0, -0x1.235eecea7a0adp+0,
     0x1.9bd5d6978d2e8p-1, 0x1.a34d010dbc52dp-1, 0x1.0df0c8a8ba686p-9, -0x1.a086538c83d05p-5, 0x0p+0,
     0x0p+0, 0x0p+0, 0x0p+0}};
inline const golden_tensor attention_gradient_data_32 =
    {{2, 2, 5, 3}, {0x1.ab9768p-2, -0x1.67bbe6p+1, 0x1.187418p+1, -0x1.9826eep-1, -0x1.ae73c6p-2,
     -0x1.a91508p-1, 0x1.860e2cp-1, 0x1.9dac82p-1, -0x1.c62be2p-1, 0x1.5bcaacp+0, -0x1.d4a844p-2,
     -0x1.08db0ap+1, -0x1.ec14b2p+0, 0x1.090fa4p-2, 0x1.11bd06p-1, 0x1.a368cep-4, -0x1.850126p+0,
     0x1.1cb26p-1, -0x1.c23a8ep+0, 0x1.024a1ap+0, 0x1.7b0232p+0, -0x1.fdef38p+0, -0x1.c64cp+0,
     -0x1.b5230ep+0, -0x1.ac9576p+1, -0x1.e3eb28p-3, -0x1.707806p+1, -0x1.2572c4p+0, 0x1.79113p-3,
     -0x1.fce272p+0, -0x1.f933f4p+0, -0x1.5d377p+1, -0x1.93417ep-1, -0x1.366208p-5, -0x1.046ac8p+0,
     0x1.2a620ap+1, 0x1.750adcp+0, -0x1.4fc4e6p+0, 0x1.a2f218p-1, -0x1.5d6098p-5, 0x1.7ca38p-2,
     -0x1.668776p-2, 0x1.59e7aep-1, 0x1.029p+0, -0x1.3b1152p-4, 0x1.20d768p+0, 0x1.e439cp-2,
     0x1.264034p-1, -0x1.4319b4p-3, 0x1.918fb6p-2, -0x1.5f4cd2p+0, 0x1.28e674p+1, 0x1.038d84p+1,
     -0x1.a691e6p+0, -0x1.810b9ap+1, -0x1.c660bap-3, 0x1.74a6a6p+1, -0x1.1c912p+1, -0x1.53a786p+0,
     -0x1.dbb06p+0}};
inline const golden_tensor attention_gradient_data_33 =
    {{2, 2, 3, 3}, {0x1.31056ep+0, 0x1.0b9e4cp+1, -0x1.ceb506p-3, -0x1.251f2p-5, 0x1.aff4eap-2,
     -0x1.a58d48p+0, -0x1.8c2b4ap+0, -0x1.9b1138p+0, -0x1.0c6eep+1, 0x1.f96a3cp-5, 0x1.2a8a7cp+0,
     0x1.5cd586p-1, -0x1.71c24ep+1, 0x1.28b87p+0, -0x1.95da8ep+0, 0x1.3000c2p-2, -0x1.e1639cp-1,
     0x1.4f0028p-2, 0x1.719abcp-1, -0x1.b12876p-1, -0x1.e129cap+0, -0x1.02152p+1, -0x1.527726p+1,
     -0x1.d29462p-1, -0x1.1ec866p+0, 0x1.c1a5c6p-2, -0x1.d5ec72p+0, 0x1.c8690ap-2, -0x1.de7678p+0,
     0x1.0d2634p-1, -0x1.f1153cp-2, 0x1.9b582p-1, 0x1.58183ep+0, 0x1.185d6cp-4, -0x1.2bfd8ap+0,
     0x1.71f7a4p+0}};
inline const golden_tensor attention_gradient_data_34 =
    {{2, 2, 3, 2}, {0x1.9c276ap+0, -0x1.9ad606p-2, 0x1.f88d0ep-7, 0x1.4086f4p-2, 0x1.0c081cp+0,
     -0x1.9abac2p-4, -0x1.62859p-1, -0x1.881074p-2, -0x1.98cb8ep-1, 0x1.a267eep-1, 0x1.53ea16p-1,
     0x1.4aecc4p+0, 0x1.ec86a6p+0, 0x1.296434p+0, -0x1.c7f696p-1, -0x1.d075f4p-7, 0x1.bdebfp-2,
     -0x1.4a4d42p-3, -0x1.fe1466p+0, 0x1.087df2p-3, 0x1.33a4fep-2, -0x1.67b096p+1, -0x1.4476cp+0,
     -0x1.83ea58p-2}};
inline const golden_tensor attention_gradient_data_35 =
    {{2, 2, 5, 2}, {-0x1.75f73ap-12, 0x1.fa4e9p-1, -0x1.9e65b4p-2, 0x1.4e85dap+0, -0x1.3e478p-2,
     0x1.b5a206p-1, -0x1.3c2f18p+0, 0x1.93f7cap+0, 0x1.7fd8b4p+0, 0x1.09b9cp+0, -0x1.030288p+0,
     -0x1.80d1cap-3, -0x1.de2d7cp-2, 0x1.743376p-2, -0x1.14a062p+0, 0x1.a8a572p+0, 0x1.301dccp+0,
     -0x1.97d2bcp-1, 0x1.528caep+1, -0x1.e1b636p+0, 0x1.154246p-2, -0x1.8ca3bep-1, -0x1.5e60aep-2,
     -0x1.702fa4p-3, 0x1.015b2p-1, -0x1.1160cap+0, 0x1.268022p-2, 0x1.c969fp+0, 0x1.cbbf8p-3,
     -0x1.5650b8p-1, 0x1.dfc516p-1, 0x1.65dc66p+0, -0x1.ba185ap-3, -0x1.acf9e6p+0, 0x1.ef5608p-2,
     0x1.44a9bp-1, 0x1.3d434p-2, 0x1.1f6286p+0, 0x1.7ac446p+0, 0x1.7b8f5p+0}};
inline const golden_tensor attention_gradient_data_36 =
    {{2, 2, 5, 3}, {0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0,
     -0x1.94e524c49e783p-2, -0x1.134db4a4c9ce6p-1, -0x1.d4ba931f1871p-2, -0x1.ae1091236ed4cp-5,
     -0x1.1c7ab11b8a848p-4, 0x1.d1dec2c80f9a8p-6, 0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0,
     0x0p+0, 0x0p+0, 0x1.297f5eab34bebp-13, 0x1.6f208a7a788p-22, 0x1.c91b4e3b00de7p-14,
     0x1.9b2c168252b2ep-4, -0x1.31c9f120b477ep-5, 0x1.14d219e045285p-4, 0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0,
     0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0, 0x1.13d374d5c9837p+0, 0x1.6a4a7379d7d7fp-1,
     -0x1.862570b4f899ap-2, -0x1.0df898e65ac44p-3, 0x1.b064944ec5583p-4, -0x1.65086eb92b8p-13, 0x0p+0,
     0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0, 0x1.5f3b12298e0dp-4,
     -0x1.f804c854473a6p-3, -0x1.34b78d43ae7bp-4, 0x1.451c93e2c40f5p-5, -0x1.0efeb6abf4e2cp-3,
     -0x1.bd74288b9c7bp-8}};
inline const golden_tensor attention_gradient_data_37 =
    {{2, 2, 3, 3}, {-0x1.09382c1d6a1a4p-1, 0x1.44220da85de11p-3, 0x1.60c36b14e3662p-1,
     0x1.4cc607ecc2ba1p-1, -0x1.688573ac2ba7ap-3, -0x1.738d989c4a7e6p-1, -0x1.0e376f3d627f9p-3,
     0x1.231b301e6e356p-6, 0x1.2ca2d8767184dp-5, -0x1.180ae600b896dp-6, 0x1.62f68e27adf6cp-9,
     -0x1.e3549fd909aeep-6, 0x1.33768b1363282p-5, -0x1.88a2e37751286p-8, 0x1.0a047e549b098p-4,
     -0x1.4ee230260db4cp-6, 0x1.ae4f38c6f45afp-9, -0x1.225eacbcb1393p-5, -0x1.0fb2b4ee60a3ep-4,
     0x1.27b164511deeap-4, -0x1.0e9a8732e9435p-3, 0x1.d4b64f2ae4c4cp-7, -0x1.3325029fe364dp-3,
     0x1.1abc4b8d6b3fcp-3, 0x1.aa37d6120816cp-5, 0x1.3e98a0eea8dadp-4, -0x1.84388b503f882p-8,
     -0x1.3c022a028c348p-2, -0x1.41c27f4731beap-5, 0x1.ef071f2cf43f2p-3, 0x1.a8c3b2504a97ep-2,
     0x1.a47fa4c19505p-4, -0x1.393a896a20a66p-3, -0x1.b3062136f98c3p-4, -0x1.039e651dfc265p-4,
     -0x1.6b992b85a7356p-4}};
inline const golden_tensor attention_gradient_data_38 =
    {{2, 2, 3, 2}, {-0x1.ca788392ab127p-2, 0x1.55715e10889a6p+0, -0x1.482787dadefd6p-1,
     0x1.6a60c0f2c2351p+0, 0x1.0ac9a0d21a434p+0, 0x1.7160dbf96a612p-1, -0x1.0d9edbda019fdp+0,
     0x1.a3a9b725b8ae7p+0, 0x1.e384aa816b984p+1, -0x1.51c4b8656066cp+1, 0x1.cb1335ca9bd4bp-6,
     -0x1.469a16bdf83b4p-6, 0x1.93189880b64fep-1, -0x1.0bbd008a9f107p-2, 0x1.ea45a059dcf3p-4,
     0x1.43eabe3d51c81p-1, 0x1.b94e23a0708e2p-4, -0x1.489553f0047fbp-2, 0x1.784a1b651dfb8p+0,
     0x1.ad072191484b2p+0, 0x1.d7a98b0d63946p-2, 0x1.385a6dffff3bbp+0, 0x1.5ed8675e247ddp-2,
     0x1.5f9479bae1e4fp-2}};
inline const golden_tensor attention_gradient_data_39 =
    {{2, 2, 3, 3}, {0x0p+0, 0x0p+0, 0x0p+0, -0x1.35694d181c1d2p-3, -0x1.a4c2d1b43e8dp-3,
     -0x1.66310a1b4ecbfp-3, -0x1.59b4079e75afbp-3, -0x1.d60497579ff05p-3, -0x1.8bce4c04ace09p-3, 0x0p+0,
     0x0p+0, 0x0p+0, -0x1.f8ef43c02892bp-5, -0x1.bfab46cfd18a8p-7, -0x1.405708ad2adb6p-2,
     -0x1.94122bb2a2b67p-3, 0x1.28742d9c645b4p-7, -0x1.bde42a1dfeb9dp-1, 0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0,
     0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0,
     0x0p+0, 0x0p+0}};
inline const golden_tensor attention_gradient_data_40 =
    {{2, 2, 5, 3}, {-0x1.4e1a102ac991p-8, -0x1.d8f6aa18a2348p-5, 0x1.c77c2684c35c8p-3,
     0x1.f72a02c39102p-9, 0x1.ce062336a92f3p-5, -0x1.c47b7a4c6d996p-3, 0x1.4a143b24043d3p-10,
     0x1.5e10dc3f20aa2p-10, -0x1.80561c2ae1896p-10, 0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0,
     -0x1.e86d048e6f28cp-3, -0x1.1ed79a826f91ep-1, 0x1.2f64ee08d8c06p-2, 0x1.e60f1ba200f7p-3,
     0x1.279f8ad1d33e4p-1, -0x1.35d21b21b1fd7p-2, 0x1.2ef4763718d68p-10, -0x1.18fe09ec75966p-6,
     0x1.9b4b46364f526p-8, 0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0,
     0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0,
     0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0,
     0x0p+0, 0x0p+0}};
inline const golden_tensor attention_gradient_data_41 =
    {{2, 2, 5, 2}, {-0x1.fe15121b7657cp-3, 0x1.b43b4e979c03cp+0, -0x1.c3ce9b770abacp-2,
     0x1.6040c85139703p+0, -0x1.a318d49ba1957p-6, 0x1.2020e172a8c12p-4, 0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0,
     0x1.ebe022313d58p-8, 0x1.5b432b52c6cd8p+0, 0x1.0c111185e68f9p+1, -0x1.71dd3843f7a79p-2,
     0x1.4e7a748068df9p-6, -0x1.a3718391c714dp-9, 0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0,
     0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0,
     0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0}};
inline const golden_tensor attention_gradient_data_42 =
    {{2}, {0x1.8p+1, 0x0p+0}};
inline const golden_tensor attention_gradient_data_43 =
    {{2, 1, 5, 3}, {0x1.31056ep+0, 0x1.0b9e4cp+1, -0x1.ceb506p-3, -0x1.251f2p-5, 0x1.aff4eap-2,
     -0x1.a58d48p+0, -0x1.8c2b4ap+0, -0x1.9b1138p+0, -0x1.0c6eep+1, 0x1.f96a3cp-5, 0x1.2a8a7cp+0,
     0x1.5cd586p-1, -0x1.71c24ep+1, 0x1.28b87p+0, 0x1.372186p+0, -0x1.1afdbep-1, -0x1.695066p+0,
     0x1.0aea92p-1, -0x1.f1775ap-2, -0x1.cb5d64p-1, -0x1.e129cap+0, -0x1.02152p+1, -0x1.e591d4p+1,
     0x1.77b6ccp+1, 0x1.d3ce4ap-5, 0x1.27418p-3, -0x1.5cf4b2p-1, 0x1.549056p-1, -0x1.de7678p+0,
     0x1.0d2634p-1}};
inline const golden_tensor attention_gradient_data_44 =
    {{2, 1, 5, 2}, {0x1.9c276ap+0, -0x1.9ad606p-2, 0x1.f88d0ep-7, 0x1.4086f4p-2, 0x1.f0a254p-1,
     0x1.8a0abap-1, -0x1.3e4e3ap-3, 0x1.39436ep+0, -0x1.98cb8ep-1, 0x1.a267eep-1, 0x1.53ea16p-1,
     0x1.4aecc4p+0, -0x1.569e76p+0, -0x1.859ec8p-5, -0x1.dcd16ep-2, 0x1.239f3ep-1, 0x1.bdebfp-2,
     -0x1.4a4d42p-3, -0x1.fe1466p+0, 0x1.087df2p-3}};
inline const golden_tensor attention_gradient_data_45 =
    {{2, 2, 3, 3}, {0x1.1b8f3ade322aep-11, 0x1.d6277edeb264p-6, 0x1.5a46e1d2dc24p-7,
     -0x1.550a14c4751cep-2, 0x1.01b7d55629d3ep-3, 0x1.a1ff21e8b855ep-3, 0x1.422c87f7b2b6dp-9,
     0x1.d075a0b4475fep-5, 0x1.fb30fc0ad5a51p-7, -0x1.560f5349adeccp-3, -0x1.05cd1f924a0dfp-2,
     -0x1.892b1ac946c95p-4, 0x1.e1ad2a0af86bcp-7, 0x1.6f3afd386e8a6p-7, -0x1.9b27e9ac4e6d9p-6,
     0x1.3b00cc9449d9p-12, -0x1.d033c8cdd69ebp-9, 0x1.c5054faf243fcp-7, -0x1.9821c7b594e28p-7,
     -0x1.b256ec5c49p-12, 0x1.245d5f28f1e35p-5, 0x0p+0, 0x0p+0, 0x0p+0, 0x1.babbff5b92dd1p-6,
     0x1.d087203fd2e54p-5, -0x1.1da096272edafp-5, 0x1.2393c6f28cbe4p-5, 0x1.09307e4154386p-4,
     -0x1.b65d15445daccp-5, 0x0p+0, 0x0p+0, 0x0p+0, 0x1.65b70dc88515ap-8, 0x1.cda590ba15bf2p-7,
     -0x1.49e108bfc4fbap-8}};
inline const golden_tensor attention_gradient_data_46 =
    {{2, 1, 5, 3}, {-0x1.822f7efae92d7p-3, 0x1.2103395c14df9p-4, 0x1.2dc511fd2f507p-2,
     0x1.cdce3a0a19ef4p-4, -0x1.50338bdef87dp-7, -0x1.1157d068bdf7dp-3, 0x0p+0, 0x0p+0, 0x0p+0,
     0x1.8ffed876251c8p-6, -0x1.5fce9de8440bdp-5, -0x1.f2e0ae2d0accp-8, -0x1.53d2d4cb7e2b5p-4,
     -0x1.88abc76b71d54p-5, -0x1.841669c56b032p-4, 0x1.081cb2fe34ecbp-3, -0x1.738ed756879f6p-7,
     -0x1.30a0cc3edc7d2p-4, 0x0p+0, 0x0p+0, 0x0p+0, -0x1.0e883d82846b4p-5, 0x1.5435d43c0305p-8,
     0x1.397b065553624p-5, 0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0}};
inline const golden_tensor attention_gradient_data_47 =
    {{2, 1, 5, 2}, {-0x1.ef5d4ecb865d7p-4, 0x1.81742087cd153p-3, -0x1.d69954061bb18p-2,
     0x1.0cdda2d57df74p+1, 0x0p+0, 0x0p+0, -0x1.77bbf1fe99d9cp-5, 0x1.763185bee49eap-3,
     0x1.611d458a05b2p-1, 0x1.1f21528afc63cp-3, 0x1.41d4072e60ab6p-5, -0x1.a7e9f1ca1abbp-3, 0x0p+0,
     0x0p+0, -0x1.481905d742da1p-2, -0x1.0b33babfead28p+1, 0x0p+0, 0x0p+0, 0x0p+0, 0x0p+0}};
inline const golden_tensor attention_gradient_data_48 =
    {{2, 1, 5}, {-0x1.72a81c2ddd804p-3, -0x1.bb2bcd7b592bcp-8, 0x1.e7fa60feece52p-5, 0x1.75746f6228ef7p-3,
     0x1.a33bef0da6bfep-3, -0x1.10fb1141ec11dp-2, 0x1.233ccf5ecbc08p-2, -0x1.bcaed754e2b2p-3, 0x0p+0,
     -0x1.04debdd0e81bp-4}};
inline const golden_tensor attention_gradient_data_49 =
    {{2}, {-0x1.0916be0ae94f7p-2, 0x1.0d4d5d01cbb1p-2}};
inline const golden_tensor attention_gradient_data_50 =
    {{2}, {0x1p-1, 0x1p-3}};
inline const golden_tensor attention_gradient_data_51 =
    {{2}, {0x1.4p+2, 0x1p+2}};

inline const std::vector<attention_gradient_case> attention_gradient_cases = {
    {.name = "no_modifiers", .q = attention_gradient_data_0, .k = attention_gradient_data_1,
     .v = attention_gradient_data_2, .dout = attention_gradient_data_3, .dq = attention_gradient_data_4,
     .dk = attention_gradient_data_5, .dv = attention_gradient_data_6, .score_peak = 4.5625},
    {.name = "key_heads_in_groups", .q = attention_gradient_data_7, .k = attention_gradient_data_1,
     .v = attention_gradient_data_2, .dout = attention_gradient_data_8, .dq = attention_gradient_data_9,
     .dk = attention_gradient_data_10, .dv = attention_gradient_data_11, .score_peak = 5.375},
    {.name = "keep_mask", .q = attention_gradient_data_0, .k = attention_gradient_data_1,
     .v = attention_gradient_data_2, .dout = attention_gradient_data_3, .dq = attention_gradient_data_12,
     .dk = attention_gradient_data_13, .dv = attention_gradient_data_14, .score_peak = 4.5,
     .keep_mask = &attention_gradient_data_15},
    {.name = "score_bias", .q = attention_gradient_data_0, .k = attention_gradient_data_1,
     .v = attention_gradient_data_2, .dout = attention_gradient_data_3, .dq = attention_gradient_data_16,
     .dk = attention_gradient_data_17, .dv = attention_gradient_data_18, .score_peak = 4.5625,
     .score_bias = &attention_gradient_data_19, .dscore_bias = &attention_gradient_data_20},
    {.name = "softcap", .q = attention_gradient_data_0, .k = attention_gradient_data_1,
     .v = attention_gradient_data_2, .dout = attention_gradient_data_3, .dq = attention_gradient_data_21,
     .dk = attention_gradient_data_22, .dv = attention_gradient_data_23, .score_peak = 4.5625,
     .softcap = 1.5},
    {.name = "sinks", .q = attention_gradient_data_0, .k = attention_gradient_data_1,
     .v = attention_gradient_data_2, .dout = attention_gradient_data_3, .dq = attention_gradient_data_24,
     .dk = attention_gradient_data_25, .dv = attention_gradient_data_26, .score_peak = 4.5625,
     .sinks = &attention_gradient_data_27, .dsinks = &attention_gradient_data_28},
    {.name = "causal_top_left", .q = attention_gradient_data_0, .k = attention_gradient_data_1,
     .v = attention_gradient_data_2, .dout = attention_gradient_data_3, .dq = attention_gradient_data_29,
     .dk = attention_gradient_data_30, .dv = attention_gradient_data_31, .score_peak = 4.5, .right = 0},
    {.name = "causal_few_keys", .q = attention_gradient_data_32, .k = attention_gradient_data_33,
     .v = attention_gradient_data_34, .dout = attention_gradient_data_35,
     .dq = attention_gradient_data_36, .dk = attention_gradient_data_37, .dv = attention_gradient_data_38,
     .score_peak = 8.0, .right = 0},
    {.name = "key_lengths", .q = attention_gradient_data_0, .k = attention_gradient_data_1,
     .v = attention_gradient_data_2, .dout = attention_gradient_data_3, .dq = attention_gradient_data_39,
     .dk = attention_gradient_data_40, .dv = attention_gradient_data_41, .score_peak = 3.375,
     .key_lengths = &attention_gradient_data_42, .right = 0},
    {.name = "all", .q = attention_gradient_data_0, .k = attention_gradient_data_43,
     .v = attention_gradient_data_44, .dout = attention_gradient_data_3, .dq = attention_gradient_data_45,
     .dk = attention_gradient_data_46, .dv = attention_gradient_data_47, .score_peak = 4.625,
     .score_bias = &attention_gradient_data_19, .dscore_bias = &attention_gradient_data_48,
     .sinks = &attention_gradient_data_27, .dsinks = &attention_gradient_data_49,
     .keep_mask = &attention_gradient_data_15, .slopes = &attention_gradient_data_50,
     .key_lengths = &attention_gradient_data_51, .softcap = 2, .left = 3, .right = 1},
};

}  // namespace tensornorm_test
