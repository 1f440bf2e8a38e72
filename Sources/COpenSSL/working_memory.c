#include "copenssl_crypto.h"

#include <openssl/crypto.h>
#include <stdlib.h>

// Far above anything but scrypt's working memory.
#define LARGE (16 << 20)

// What a thread keeps from one scrypt to the next. Taken from the kernel and given back for each hash, its 32,768 pages would cost a
// fifth of the hash again, in the kernel, where nothing else gets the core that the thread is on.
static _Thread_local struct {
    void *block;
    size_t length;
    int keeps, is_used;
} kept;

static void *allocate(size_t length, const char *file, int line) {
    (void)file;
    (void)line;
    if (length < LARGE || !kept.keeps || kept.is_used) return malloc(length);
    if (kept.length < length) {
        free(kept.block);
        kept.block = malloc(length);
        kept.length = kept.block ? length : 0;
    }
    kept.is_used = kept.block != NULL;
    return kept.block;
}

static void release(void *block, const char *file, int line) {
    (void)file;
    (void)line;
    if (block && block == kept.block) {
        kept.is_used = 0;
    } else {
        free(block);
    }
}

static void *resize(void *block, size_t length, const char *file, int line) {
    (void)file;
    (void)line;
    return realloc(block, length);
}

// Before main: libcrypto takes no other functions once it has allocated anything. Should it have done so already, nothing is kept.
__attribute__((constructor)) static void take_over(void) { CRYPTO_set_mem_functions(allocate, resize, release); }

void copenssl_keep_working_memory(int keeps) {
    kept.keeps = keeps;
    if (keeps) return;
    free(kept.block);
    kept.block = NULL;
    kept.length = 0;
}
