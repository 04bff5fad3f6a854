// SPDX-License-Identifier: BSD-3-Clause
// hdcp14_vectors.h: the published facsimile values of HDCP 1.4 that the tests
// compare with (reference hdmi.md, section 2.5; tables ).
//
// Invariant: facsimile keys only.  They authenticate with no real product.
// Read on: hdcp14_cipher_test.cc.
#ifndef UWQ_DRIVERS_HDMI_EXAMPLE_HDCP_HDCP14_VECTORS_H_
#define UWQ_DRIVERS_HDMI_EXAMPLE_HDCP_HDCP14_VECTORS_H_

#include <cstdint>

namespace uwq::hdmi {

struct Hdcp14Vector {
  const char* name;  // the row: transmitter-receiver, REPEATER bit
  int tx;            // index into kFacsimileDevices
  int rx;
  bool repeater;
  uint64_t km, an, ks, m0;
  uint16_t r0;
  uint64_t k1, m1;
  uint16_t ri[8];  // at frames 128, 256, ... 1024
};

inline constexpr Hdcp14Vector kHdcp14Vectors[] = {
    {"A1-B1 REP=0",
     0,
     2,
     false,
     0x5309c7d22fcecc,
     0x34271c130c070403,
     0x54294b7c040e35,
     0xa02bc815e73d001c,
     0x8ae0,
     0xd692b7ee1d40e8,
     0x1dbf44e50f523e56,
     {0x6153, 0xd189, 0x2b74, 0x2147, 0x2570, 0x9204, 0x9648, 0x6b01}},
    {"A1-B2 REP=0",
     0,
     3,
     false,
     0xf6aee46089c923,
     0x445e62a53ad10fe5,
     0x4e60d941d0e8b1,
     0xe7d28b9b2f46c49d,
     0xfb65,
     0xe46f51311a959a,
     0x445b5c6eebf657ff,
     {0xd543, 0x295a, 0x1c17, 0x4315, 0xcc79, 0x8d46, 0xdac2, 0x8255}},
    {"A2-B1 REP=0",
     1,
     2,
     false,
     0x4afe34dbec1205,
     0x83bec2bb01c66e07,
     0x2c9bef71df792e,
     0x8e1e91f6d8ae4c25,
     0x3435,
     0xf3e27849d067c1,
     0x23d89127a5ee6c26,
     {0x8991, 0x0e1c, 0x20b0, 0x0ac4, 0x5412, 0x7f3d, 0x175c, 0x3d2a}},
    {"A2-B2 REP=0",
     1,
     3,
     false,
     0xa423d78b8676a7,
     0x0351f7175406a74d,
     0x1963deb799ee82,
     0xd05d8c26378a126e,
     0x4fd5,
     0x65f793e160ec27,
     0x68be984885aafef7,
     {0x0488, 0x0659, 0xe1a7, 0xa809, 0xb077, 0x52f4, 0xb9ea, 0xfe59}},
    {"A1-B1 REP=1",
     0,
     2,
     true,
     0x5309c7d22fcecc,
     0x34271c130c070403,
     0xbc607b21d48e97,
     0x372d3dce38bbe78f,
     0x6485,
     0x98b281e1876a9a,
     0x016f9561e001f80d,
     {0xed21, 0x97e0, 0xec2b, 0xf82a, 0x4167, 0x03c3, 0xb900, 0xd672}},
    {"A1-B2 REP=1",
     0,
     3,
     true,
     0xf6aee46089c923,
     0x445e62a53ad10fe5,
     0xb7894f1754caaa,
     0x43d609c682c956e1,
     0x3f68,
     0xffbfea4bc7fd2c,
     0x2a067368042fa1aa,
     {0x6006, 0xdc65, 0x32dd, 0x5f01, 0x3618, 0xa885, 0xfcf1, 0x669e}},
    {"A2-B1 REP=1",
     1,
     2,
     true,
     0x4afe34dbec1205,
     0x83bec2bb01c66e07,
     0xfe3717c12f3bb1,
     0x536dee1e44a58bf4,
     0xdd9b,
     0xa1ec276b2ddaf0,
     0xb365f8813c45db0b,
     {0xccc3, 0x960e, 0x7232, 0x1d5e, 0x8cba, 0x5271, 0xaf20, 0xad26}},
    {"A2-B2 REP=1",
     1,
     3,
     true,
     0xa423d78b8676a7,
     0x0351f7175406a74d,
     0xaac4147081a2d0,
     0x38b57ad3cdd1b266,
     0x7930,
     0x0f0b83888e3209,
     0x06471e358f601ce4,
     {0xe26b, 0xd9ff, 0x9ae9, 0x39da, 0xc0b7, 0x4d40, 0x426d, 0x2464}},
};

// Devices A1, A2 (transmitters), B1, B2 (receivers).  Key rows that no pairing
// of these devices uses cannot be verified arithmetically.
struct FacsimileDevice {
  const char* name;
  uint64_t ksv;
  uint64_t keys[40];
};

inline constexpr FacsimileDevice kFacsimileDevices[] = {
    {"A1",
     0xb70361f714,
     {0x4da4588f131e69, 0x1f823558e65009, 0x8a6a47abb9980d, 0xf3181b52cbc5ca, 0xfb147f6896d8b4,
      0xe08bc978488f81, 0xa0d064c8112c41, 0xb39d5a28242044, 0xb928b2bdad566b, 0x91a47b4a6ce4f6,
      0x5600f8205e9d58, 0x8c7fb706ee3fa0, 0xc02d8c9d7cbc28, 0x561261e54b9f05, 0x74f0de8ccac1cb,
      0x3bb8f60efcdb6a, 0xa02bbb16b22fd7, 0x482f8e46785498, 0x66ae2562274738, 0x3d4952a323ddf2,
      0xe2d231767b3a54, 0x4d581aede66125, 0x326082bf7b22f7, 0xf61b463530ce6b, 0x360409f0d7976b,
      0xa1e105618d49f9, 0xc98e9dd1053406, 0x20c36794426190, 0x964451ceac4fc3, 0x3e904504e18c8a,
      0x290010579c2dfc, 0xd7943b69e5b180, 0x54c7ea5bdd7b43, 0x74fb5887c790ba, 0x935cfa364e1de0,
      0x03075e159a11ae, 0x05d3408a78fb01, 0x0059a5d7a04db3, 0x373b634a2c9e40, 0x2573bbb4562041}},
    {"A2",
     0x43f72d5066,
     {0x9aaba1f9ef907c, 0x34a0407731d1d0, 0x97c682992dc5d9, 0xda80caca68ed15, 0x1866d9b51462a6,
      0xd9fc9599bb7498, 0x7a062ac883f528, 0xf5938c662af454, 0xec3075e82d3ef2, 0x536e376e7ffc49,
      0x51c83a6cbeb116, 0x79d44ae1bd5f50, 0x674b2563e27393, 0x7a1357efc538a2, 0x6486e57ea46b02,
      0xbdf27a1ce8a299, 0xdc8bd1fa5b46b9, 0x27ef71efef9b73, 0x187599f603c947, 0x023ae9da303ecb,
      0x3d1cf6533dea8e, 0x34dd5525f1890c, 0x367dd774a07f4c, 0xcdc34c8a6f56d1, 0xde3413927363a8,
      0x21b11c739f45b3, 0x84440fadd281ac, 0x10f7900c65fef4, 0x30070704c8aa06, 0xf287cb4063cb9d,
      0x97033445a4d587, 0x8051045091c10b, 0xd18f282074da20, 0xf2679a98828400, 0xa6f0b6042a3dd7,
      0x3e5ddad097f5e1, 0x3ad1f8a2e5958f, 0xf025bb1c085d4f, 0x0864213d6d50c1, 0x9018b0ff3ab170}},
    {"B1",
     0x511ef21acd,
     {0xbc13e0c75bf0fd, 0xae0d2c7f76443b, 0x24bf2185a36c60, 0xf4bc6cbcd7a32f, 0xa72e69c5eb6388,
      0x7fa2d27a37d9f8, 0x32fd3529dea3d1, 0x485fc240cc9bae, 0x3b9857797d5103, 0x0dd170be615250,
      0x1a748be4866bb1, 0xf9606a7c348cca, 0x4bbb037899eea1, 0x190ecf9cc095a9, 0xa821c46897447f,
      0x1a8a0bc4298a41, 0xaefc0853e62082, 0xf75d4a0c497ba4, 0xad6495fc8a06d8, 0x67c2020c2b2e02,
      0x8f116b18f4ae8d, 0xe3053fa3e9fa69, 0x37d8002881c7d1, 0xc3a5fd1c15669c, 0x9e93d41e0811f7,
      0x2c4074509eec6c, 0x8b7fd819279b61, 0xd7caada0a06ce9, 0x9297dca1f8c1db, 0x5d1aaa99dea489,
      0x60cb56ddbaa1d9, 0x85d4ad5e5ff2e0, 0x1280161221df6d, 0xca31a5f2406589, 0x1d30e8cb198e6f,
      0xd1c18bed07d3fa, 0xcec7ec09245b43, 0xb08129efedd583, 0x2134cf4ce286e5, 0xedeef9d099b78c}},
    {"B2",
     0xe72697f401,
     {0x93afe1ff4ca0ed, 0xefb49d4a25a4e4, 0xe822d8a9335346, 0x8812c3004e23d2, 0xdc63ba78d94263,
      0x47ebdf52776fd5, 0x4bce49472e0464, 0x0479bed7732682, 0xc5f800fad716d5, 0xf53fd67ba9b9ec,
      0x6fb3901e5867f2, 0x24c46f520f1be5, 0x2038176d369ed7, 0x9ba9cd6a077a57, 0x5f2764b35c5591,
      0xee32f1171f5356, 0xd20a9e2f4d57fa, 0x439eb96d2daff0, 0x1c68df6f868aaf, 0xdd50d7551dc6fb,
      0x50b85379165c5f, 0xf45d64b097d6b5, 0xa1a154e07adb4d, 0x0755ea83e47e71, 0xe1dca26293efe4,
      0xe1092507ab8f45, 0x3d56680db98e15, 0x0a49af413de66b, 0x90a814bbf971a0, 0x626b121ca0504f,
      0x00f9bb7a94a1a7, 0xf485290cc5c1ba, 0xbaa873c54fdedf, 0x2d6a56233b8aba, 0xa60d0379512312,
      0x942582078dadb8, 0x8395a4b022082f, 0xcb12fe97842b60, 0x282ffe78f2f95c, 0xf6491f33c7ef53}},
};

}  // namespace uwq::hdmi

#endif  // UWQ_DRIVERS_HDMI_EXAMPLE_HDCP_HDCP14_VECTORS_H_
