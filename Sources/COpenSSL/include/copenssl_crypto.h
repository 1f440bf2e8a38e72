#pragma once
#include <stddef.h>
#include <stdint.h>

// What Auth and PlaygroundCore ask of libcrypto, as plain prototypes: no OpenSSL type shows here.
// Functions that return int give 1 for success and 0 for failure, as OpenSSL does.

/// Bytes of a SHA-256 digest and of an HMAC-SHA-256 tag.
#define COPENSSL_SHA256_LENGTH 32

/// Fills `out` from OpenSSL's cryptographically secure generator.
int copenssl_random(uint8_t *out, size_t length);

/// SHA-256 of `length` bytes into `out` (32 bytes).
int copenssl_sha256(const uint8_t *bytes, size_t length, uint8_t *out);

/// Compares in a time that depends on `length` alone. 1 where equal.
int copenssl_equal(const uint8_t *a, const uint8_t *b, size_t length);

/// Overwrites memory in a way the compiler may not leave out.
void copenssl_cleanse(void *bytes, size_t length);

/// An HMAC-SHA-256 key with both pads already hashed. Immutable once made, so any thread may sign with it.
typedef struct copenssl_hmac_key copenssl_hmac_key;

/// Makes a key, or NULL where memory is out. The caller frees it.
copenssl_hmac_key *copenssl_hmac_key_new(const uint8_t *bytes, size_t length);

/// Overwrites the key and frees it.
void copenssl_hmac_key_free(copenssl_hmac_key *key);

/// HMAC-SHA-256 (RFC 2104) of `length` bytes into `out` (32 bytes). Allocates nothing.
int copenssl_hmac_sign(const copenssl_hmac_key *key, const uint8_t *bytes, size_t length, uint8_t *out);

/// Whether the calling thread keeps the working memory of `copenssl_scrypt` for its next one. A thread that has called it with 1
/// calls it with 0 before it ends, which gives the memory back.
void copenssl_keep_working_memory(int keeps);

/// scrypt (RFC 7914) into `out`. `memory_limit` in bytes: more than that needed is a failure, not an allocation.
/// The working memory is one block far above glibc's largest mmap threshold (32 MiB) at any cost we issue, so it goes
/// back to the kernel when this returns, unless the thread keeps it. It is overwritten in either case.
int copenssl_scrypt(const uint8_t *password, size_t password_length, const uint8_t *salt, size_t salt_length, uint64_t n,
                    uint64_t r, uint64_t p, uint64_t memory_limit, uint8_t *out, size_t out_length);
