#pragma once
#include <stddef.h>
#include <stdint.h>

// Signatures with asymmetric keys, as plain prototypes: no OpenSSL type shows here.
// Functions that return int give 1 for success and 0 for failure, as OpenSSL does.

/// An asymmetric key. Immutable once made, so any thread may use it.
typedef struct copenssl_key copenssl_key;

/// Bytes of an ES256 signature as JWS has it (RFC 7518, 3.4), and of an Ed25519 one.
#define COPENSSL_SIGNATURE_LENGTH 64

/// A public RSA key of big-endian modulus and exponent. NULL where OpenSSL cannot use them.
copenssl_key *copenssl_rsa_public(const uint8_t *modulus, size_t modulus_length, const uint8_t *exponent,
                                  size_t exponent_length);

/// A public key on P-256; `x` and `y` have 32 bytes each. NULL where the point is not on the curve.
copenssl_key *copenssl_p256_public(const uint8_t *x, const uint8_t *y);

/// A public Ed25519 key of 32 bytes.
copenssl_key *copenssl_ed25519_public(const uint8_t *bytes);

/// A private key on P-256 from unencrypted PEM (PKCS#8 or SEC 1). NULL for anything else.
copenssl_key *copenssl_p256_private(const uint8_t *pem, size_t length);

void copenssl_key_free(copenssl_key *key);

/// Bits of an RSA modulus, or of a curve's order.
int copenssl_key_bits(const copenssl_key *key);

/// RSASSA-PKCS1-v1_5 with SHA-256. 0 for a key of another kind.
int copenssl_verify_rs256(const copenssl_key *key, const uint8_t *message, size_t length, const uint8_t *signature,
                          size_t signature_length);

/// ECDSA on P-256 with SHA-256; `signature` is r and s, 32 bytes each. 0 for a key of another kind.
int copenssl_verify_es256(const copenssl_key *key, const uint8_t *message, size_t length, const uint8_t *signature);

/// Ed25519 (RFC 8032); `signature` has 64 bytes. 0 for a key of another kind.
int copenssl_verify_ed25519(const copenssl_key *key, const uint8_t *message, size_t length, const uint8_t *signature);

/// ECDSA on P-256 with SHA-256 into `signature` (64 bytes: r and s).
int copenssl_sign_es256(const copenssl_key *key, const uint8_t *message, size_t length, uint8_t *signature);
