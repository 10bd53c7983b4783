#ifndef UNIT_UNIT_H
#define UNIT_UNIT_H

/* cmocka.h needs these three before it, whatever the sorting of includes says. */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#define N_ELEMENTS(array) (sizeof(array) / sizeof((array)[0]))

#endif
