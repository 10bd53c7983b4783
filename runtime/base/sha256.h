#ifndef BASE_SHA256_H
#define BASE_SHA256_H

#include <stddef.h>

#define SHA256_HEX 65

/* The SHA-256 (FIPS 180-4) of @n bytes, as 64 hexadecimal digits. */
void sha256_hex(const void *data, size_t n, char ret[SHA256_HEX]);

#endif
