#pragma once
#include <curl/curl.h>

// curl_easy_setopt and its kin are variadic macros, which Swift cannot call: one typed function for each kind of
// argument that we pass. The parentheses keep curl's type-checking macros away.

static inline CURLcode clibcurl_set_long(CURL *easy, CURLoption option, long value) {
    return (curl_easy_setopt)(easy, option, value);
}
static inline CURLcode clibcurl_set_string(CURL *easy, CURLoption option, const char *value) {
    return (curl_easy_setopt)(easy, option, value);
}
static inline CURLcode clibcurl_set_pointer(CURL *easy, CURLoption option, void *value) {
    return (curl_easy_setopt)(easy, option, value);
}

/// Called by libcurl instead of close(2) for each socket of the handle; returns 0.
typedef int (*clibcurl_close_function)(void *context, curl_socket_t socket);
static inline CURLcode clibcurl_set_close_socket(CURL *easy, clibcurl_close_function function, void *context) {
    CURLcode code = (curl_easy_setopt)(easy, CURLOPT_CLOSESOCKETDATA, context);
    return code == CURLE_OK ? (curl_easy_setopt)(easy, CURLOPT_CLOSESOCKETFUNCTION, function) : code;
}

/// curl_easy_init, its sockets closed by exec: libcurl 7.88 leaves them to every program that the process starts, and a
/// copy in another process keeps a connection open after it was closed here. NULL where memory is out.
CURL *clibcurl_easy_init(void);

/// Called by libcurl for the bytes of an upload: at most size * count of them; returns how many, 0 at the end.
typedef size_t (*clibcurl_read_function)(char *buffer, size_t size, size_t count, void *context);
static inline CURLcode clibcurl_set_read(CURL *easy, clibcurl_read_function function, void *context) {
    CURLcode code = (curl_easy_setopt)(easy, CURLOPT_READDATA, context);
    return code == CURLE_OK ? (curl_easy_setopt)(easy, CURLOPT_READFUNCTION, function) : code;
}

/// A number that is known about the last transfer.
static inline CURLcode clibcurl_get_long(CURL *easy, CURLINFO info, long *value) {
    return (curl_easy_getinfo)(easy, info, value);
}

/// The socket of a finished CONNECT_ONLY transfer.
static inline CURLcode clibcurl_get_socket(CURL *easy, curl_socket_t *socket) {
    return (curl_easy_getinfo)(easy, CURLINFO_ACTIVESOCKET, socket);
}

/// Called by libcurl to say what it waits for on a socket (CURL_POLL_...).
typedef int (*clibcurl_socket_function)(CURL *easy, curl_socket_t socket, int what, void *context, void *watch);
/// Called by libcurl to say when it wants to be called again; -1 withdraws that.
typedef int (*clibcurl_timer_function)(CURLM *multi, long milliseconds, void *context);
static inline void clibcurl_multi_set_callbacks(
    CURLM *multi, clibcurl_socket_function socket, clibcurl_timer_function timer, void *context) {
    (curl_multi_setopt)(multi, CURLMOPT_SOCKETDATA, context);
    (curl_multi_setopt)(multi, CURLMOPT_SOCKETFUNCTION, socket);
    (curl_multi_setopt)(multi, CURLMOPT_TIMERDATA, context);
    (curl_multi_setopt)(multi, CURLMOPT_TIMERFUNCTION, timer);
}

/// curl_global_init with everything; 0 when it succeeded.
static inline int clibcurl_initialize(void) { return (int)curl_global_init(CURL_GLOBAL_ALL); }
