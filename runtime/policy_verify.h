#ifndef POLICY_VERIFY_H
#define POLICY_VERIFY_H

#include <stddef.h>

#include "base/err.h"

/*
 * berth policy verify: whether a running workspace is what it was planned to be.
 * Return: 0; 1 where something differs; OPTIONS_HELP was handled; -errno.
 */
int policy_verify_main(int argc, char **argv, struct err *err);

#endif
