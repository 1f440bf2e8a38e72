#define _GNU_SOURCE
#include "clibcurl.h"
#include <sys/socket.h>

static curl_socket_t open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address) {
    (void)context;
    (void)purpose;
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

CURL *clibcurl_easy_init(void) {
    CURL *easy = curl_easy_init();
    if (easy && (curl_easy_setopt)(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket) != CURLE_OK) {
        curl_easy_cleanup(easy);
        return NULL;
    }
    return easy;
}
