#pragma once
#include <stddef.h>

// TLS over a connected non-blocking socket, as plain prototypes: no OpenSSL type shows here.

/// What the connections of one client, or of one server, have in common.
typedef struct copenssl_tls_context copenssl_tls_context;
/// One connection's session.
typedef struct copenssl_tls_session copenssl_tls_session;

/// A read or write that moved nothing: it can go on when the socket is ready.
#define COPENSSL_TLS_BLOCKED (-1)
/// A read or write that failed; the session is of no further use.
#define COPENSSL_TLS_FAILED (-2)

/// For clients: TLS 1.2 or later, the peer's certificate checked, ALPN http/1.1.
/// `ca_file` (PEM) replaces the system's authorities; NULL keeps them.
/// NULL on failure, with a text of at most `capacity` bytes in `reason`.
copenssl_tls_context *copenssl_tls_client_context(const char *ca_file, char *reason, size_t capacity);

/// For a local upstream in development and tests: serves one certificate chain (PEM) with its key.
copenssl_tls_context *copenssl_tls_server_context(
    const char *chain_file, const char *key_file, char *reason, size_t capacity);

void copenssl_tls_context_free(copenssl_tls_context *context);

/// A client's session over `descriptor`, which stays the caller's. `host`, a name or a numeric address without
/// brackets, must be in the peer's certificate; a name is also sent (SNI). NULL where memory is out.
copenssl_tls_session *copenssl_tls_connecting(copenssl_tls_context *context, int descriptor, const char *host);

/// A server's session over `descriptor`, which stays the caller's. NULL where memory is out.
copenssl_tls_session *copenssl_tls_accepting(copenssl_tls_context *context, int descriptor);

/// Goes on with the handshake. 1 when done, 0 when it waits for the socket, -1 when it failed, with a text of at most
/// `capacity` bytes in `reason`.
int copenssl_tls_handshake(copenssl_tls_session *session, char *reason, size_t capacity);

/// So many bytes, 0 when the peer ended the session properly, or a constant above. A short read does not mean that no
/// more is there: read until blocked.
long copenssl_tls_read(copenssl_tls_session *session, void *bytes, size_t capacity);

/// So many bytes, or a constant above. The bytes may lie elsewhere when the call is repeated.
long copenssl_tls_write(copenssl_tls_session *session, const void *bytes, size_t count);

/// Tells the peer that nothing more follows (close_notify, RFC 8446 section 6.1), without waiting; does nothing where the
/// session is not established or has failed. To be called while the descriptor is still open.
void copenssl_tls_farewell(copenssl_tls_session *session);

/// Frees the session; the descriptor is not touched.
void copenssl_tls_session_free(copenssl_tls_session *session);
