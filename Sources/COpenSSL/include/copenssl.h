#pragma once
#include "copenssl_crypto.h"
#include "copenssl_keys.h"
#include "copenssl_tls.h"
