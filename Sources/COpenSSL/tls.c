#include "copenssl_tls.h"
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

static SSL_CTX *context_of(copenssl_tls_context *context) { return (SSL_CTX *)context; }
static SSL *session_of(copenssl_tls_session *session) { return (SSL *)session; }

static void describe_error(char *reason, size_t capacity, const char *otherwise) {
    unsigned long code = ERR_peek_last_error();
    const char *text = code == 0 ? NULL : ERR_reason_error_string(code);
    snprintf(reason, capacity, "%s", text ? text : otherwise);
    ERR_clear_error();
}

static SSL_CTX *new_context(const SSL_METHOD *method) {
    SSL_CTX *context = SSL_CTX_new(method);
    if (!context) return NULL;
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    // RELEASE_BUFFERS: a quiet connection keeps no record buffers (34 KiB). A short write goes on from wherever the
    // caller keeps the rest.
    SSL_CTX_set_mode(
        context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    // One read(2) takes a record's head and body together.
    SSL_CTX_set_read_ahead(context, 1);
    return context;
}

static copenssl_tls_context *discard(SSL_CTX *context, char *reason, size_t capacity) {
    describe_error(reason, capacity, "out of memory");
    SSL_CTX_free(context);
    return NULL;
}

copenssl_tls_context *copenssl_tls_client_context(const char *ca_file, char *reason, size_t capacity) {
    // RFC 7301: a length byte before each name.
    static const unsigned char protocols[] = "\x08http/1.1";
    ERR_clear_error();
    SSL_CTX *context = new_context(TLS_client_method());
    if (!context) return discard(context, reason, capacity);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    int trusted = ca_file ? SSL_CTX_load_verify_file(context, ca_file) : SSL_CTX_set_default_verify_paths(context);
    if (trusted != 1) return discard(context, reason, capacity);
    // This one returns 0 for success.
    if (SSL_CTX_set_alpn_protos(context, protocols, sizeof protocols - 1) != 0) return discard(context, reason, capacity);
    return (copenssl_tls_context *)context;
}

copenssl_tls_context *copenssl_tls_server_context(
    const char *chain_file, const char *key_file, char *reason, size_t capacity) {
    ERR_clear_error();
    SSL_CTX *context = new_context(TLS_server_method());
    if (!context || SSL_CTX_use_certificate_chain_file(context, chain_file) != 1
        || SSL_CTX_use_PrivateKey_file(context, key_file, SSL_FILETYPE_PEM) != 1)
        return discard(context, reason, capacity);
    return (copenssl_tls_context *)context;
}

void copenssl_tls_context_free(copenssl_tls_context *context) { SSL_CTX_free(context_of(context)); }

static SSL *new_session(copenssl_tls_context *context, int descriptor) {
    SSL *ssl = SSL_new(context_of(context));
    if (ssl && SSL_set_fd(ssl, descriptor) == 1) return ssl;
    SSL_free(ssl);
    return NULL;
}

copenssl_tls_session *copenssl_tls_connecting(copenssl_tls_context *context, int descriptor, const char *host) {
    SSL *ssl = new_session(context, descriptor);
    if (!ssl) return NULL;
    // Fails for everything that is not a numeric address. RFC 6066 section 3: a numeric address is not sent as a name.
    int ok = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
    if (!ok) {
        SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        ok = SSL_set1_host(ssl, host) == 1 && SSL_set_tlsext_host_name(ssl, host) == 1;
    }
    if (!ok) {
        SSL_free(ssl);
        return NULL;
    }
    SSL_set_connect_state(ssl);
    return (copenssl_tls_session *)ssl;
}

copenssl_tls_session *copenssl_tls_accepting(copenssl_tls_context *context, int descriptor) {
    SSL *ssl = new_session(context, descriptor);
    if (ssl) SSL_set_accept_state(ssl);
    return (copenssl_tls_session *)ssl;
}

// After a fatal error SSL_shutdown must not be called: a quiet session is one that failed.
static long outcome(SSL *ssl, int result) {
    switch (SSL_get_error(ssl, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE: return COPENSSL_TLS_BLOCKED;
    case SSL_ERROR_ZERO_RETURN: return 0;
    default: SSL_set_quiet_shutdown(ssl, 1); return COPENSSL_TLS_FAILED;
    }
}

int copenssl_tls_handshake(copenssl_tls_session *session, char *reason, size_t capacity) {
    SSL *ssl = session_of(session);
    ERR_clear_error();
    int result = SSL_do_handshake(ssl);
    if (result == 1) return 1;
    if (outcome(ssl, result) == COPENSSL_TLS_BLOCKED) return 0;
    SSL_set_quiet_shutdown(ssl, 1);
    long verdict = SSL_get_verify_result(ssl);
    if (verdict != X509_V_OK) {
        snprintf(reason, capacity, "the certificate was refused: %s", X509_verify_cert_error_string(verdict));
        ERR_clear_error();
    } else {
        describe_error(reason, capacity, "the connection was closed during the handshake");
    }
    return -1;
}

// The error queue belongs to the thread, and SSL_get_error reads it: it must be empty before each call.

long copenssl_tls_read(copenssl_tls_session *session, void *bytes, size_t capacity) {
    size_t count = 0;
    ERR_clear_error();
    int result = SSL_read_ex(session_of(session), bytes, capacity, &count);
    return result == 1 ? (long)count : outcome(session_of(session), result);
}

long copenssl_tls_write(copenssl_tls_session *session, const void *bytes, size_t count) {
    size_t written = 0;
    ERR_clear_error();
    int result = SSL_write_ex(session_of(session), bytes, count, &written);
    if (result == 1) return (long)written;
    long code = outcome(session_of(session), result);
    return code == 0 ? COPENSSL_TLS_FAILED : code;
}

void copenssl_tls_farewell(copenssl_tls_session *session) {
    SSL *ssl = session_of(session);
    if (!SSL_is_init_finished(ssl) || SSL_get_quiet_shutdown(ssl)) return;
    ERR_clear_error();
    SSL_shutdown(ssl);
    ERR_clear_error();
}

void copenssl_tls_session_free(copenssl_tls_session *session) { SSL_free(session_of(session)); }
