#include "copenssl_keys.h"

#include <limits.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <string.h>

static EVP_PKEY *key_of(const copenssl_key *key) { return (EVP_PKEY *)key; }

// A failure is an ordinary answer here: what it left behind must not be taken for that of a TLS session on this thread.
static int forget(int result) {
    if (!result) ERR_clear_error();
    return result;
}

static copenssl_key *from_parameters(const char *type, OSSL_PARAM *parameters) {
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    int ok = context && parameters && EVP_PKEY_fromdata_init(context) == 1
             && EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, parameters) == 1;
    EVP_PKEY_CTX_free(context);
    // For RSA it would look for factors of the modulus, for milliseconds.
    if (ok && EVP_PKEY_is_a(key, "EC")) {
        EVP_PKEY_CTX *check = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
        ok = check && EVP_PKEY_public_check(check) == 1;
        EVP_PKEY_CTX_free(check);
    }
    if (!forget(ok)) {
        EVP_PKEY_free(key);
        return NULL;
    }
    return (copenssl_key *)key;
}

copenssl_key *copenssl_rsa_public(const uint8_t *modulus, size_t modulus_length, const uint8_t *exponent,
                                  size_t exponent_length) {
    if (modulus_length > INT_MAX || exponent_length > INT_MAX) return NULL;
    BIGNUM *n = BN_bin2bn(modulus, (int)modulus_length, NULL);
    BIGNUM *e = BN_bin2bn(exponent, (int)exponent_length, NULL);
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    OSSL_PARAM *parameters = NULL;
    if (n && e && builder && OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, n)
        && OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, e))
        parameters = OSSL_PARAM_BLD_to_param(builder);
    copenssl_key *key = from_parameters("RSA", parameters);
    OSSL_PARAM_free(parameters);
    OSSL_PARAM_BLD_free(builder);
    BN_free(n);
    BN_free(e);
    return key;
}

copenssl_key *copenssl_p256_public(const uint8_t *x, const uint8_t *y) {
    // SEC 1, 2.3.3: an uncompressed point.
    uint8_t point[65] = {4};
    memcpy(point + 1, x, 32);
    memcpy(point + 33, y, 32);
    char group[] = "prime256v1";
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point),
        OSSL_PARAM_construct_end(),
    };
    return from_parameters("EC", parameters);
}

copenssl_key *copenssl_ed25519_public(const uint8_t *bytes) {
    EVP_PKEY *key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, bytes, 32);
    forget(key != NULL);
    return (copenssl_key *)key;
}

static int is_p256(const EVP_PKEY *key) {
    char name[32] = "";
    return EVP_PKEY_is_a(key, "EC") && EVP_PKEY_get_group_name(key, name, sizeof name, NULL) == 1
           && strcmp(name, "prime256v1") == 0;
}

// An encrypted key asks for a passphrase, at the terminal unless told otherwise.
static int no_passphrase(char *buffer, int size, int writing, void *context) {
    (void)buffer, (void)size, (void)writing, (void)context;
    return -1;
}

copenssl_key *copenssl_p256_private(const uint8_t *pem, size_t length) {
    if (length > INT_MAX) return NULL;
    BIO *bio = BIO_new_mem_buf(pem, (int)length);
    EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;
    BIO_free(bio);
    if (key && !is_p256(key)) {
        EVP_PKEY_free(key);
        key = NULL;
    }
    forget(key != NULL);
    return (copenssl_key *)key;
}

void copenssl_key_free(copenssl_key *key) { EVP_PKEY_free(key_of(key)); }

int copenssl_key_bits(const copenssl_key *key) { return EVP_PKEY_get_bits(key_of(key)); }

static int verify(EVP_PKEY *key, const EVP_MD *digest, const uint8_t *message, size_t length, const uint8_t *signature,
                  size_t signature_length) {
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    int ok = context && EVP_DigestVerifyInit(context, NULL, digest, NULL, key) == 1
             && EVP_DigestVerify(context, signature, signature_length, message, length) == 1;
    EVP_MD_CTX_free(context);
    return forget(ok);
}

int copenssl_verify_rs256(const copenssl_key *key, const uint8_t *message, size_t length, const uint8_t *signature,
                          size_t signature_length) {
    // PKCS #1 v1.5 is OpenSSL's padding for RSA unless another is asked for.
    return EVP_PKEY_is_a(key_of(key), "RSA") && verify(key_of(key), EVP_sha256(), message, length, signature, signature_length);
}

int copenssl_verify_es256(const copenssl_key *key, const uint8_t *message, size_t length, const uint8_t *signature) {
    if (!is_p256(key_of(key))) return 0;
    ECDSA_SIG *pair = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(signature, 32, NULL);
    BIGNUM *s = BN_bin2bn(signature + 32, 32, NULL);
    if (!pair || !r || !s || ECDSA_SIG_set0(pair, r, s) != 1) {
        BN_free(r);
        BN_free(s);
        ECDSA_SIG_free(pair);
        return 0;
    }
    uint8_t *der = NULL;
    int der_length = i2d_ECDSA_SIG(pair, &der);
    int ok = der_length > 0 && verify(key_of(key), EVP_sha256(), message, length, der, (size_t)der_length);
    OPENSSL_free(der);
    ECDSA_SIG_free(pair);
    return forget(ok);
}

int copenssl_verify_ed25519(const copenssl_key *key, const uint8_t *message, size_t length, const uint8_t *signature) {
    return EVP_PKEY_is_a(key_of(key), "ED25519")
           && verify(key_of(key), NULL, message, length, signature, COPENSSL_SIGNATURE_LENGTH);
}

int copenssl_sign_es256(const copenssl_key *key, const uint8_t *message, size_t length, uint8_t *signature) {
    if (!is_p256(key_of(key))) return 0;
    // DER of two numbers of 33 bytes at most.
    uint8_t der[80];
    size_t der_length = sizeof der;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    int ok = context && EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key_of(key)) == 1
             && EVP_DigestSign(context, der, &der_length, message, length) == 1;
    EVP_MD_CTX_free(context);
    const uint8_t *start = der;
    ECDSA_SIG *pair = ok ? d2i_ECDSA_SIG(NULL, &start, (long)der_length) : NULL;
    ok = pair && BN_bn2binpad(ECDSA_SIG_get0_r(pair), signature, 32) == 32
         && BN_bn2binpad(ECDSA_SIG_get0_s(pair), signature + 32, 32) == 32;
    ECDSA_SIG_free(pair);
    return forget(ok);
}
