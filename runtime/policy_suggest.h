#ifndef POLICY_SUGGEST_H
#define POLICY_SUGGEST_H

#include "base/err.h"

/**
 * policy_suggest_main() - berth policy suggest
 * @argc, @argv: its options and words, with the verb
 * @err:	filled in on failure
 *
 * Return: 0, or -errno.
 */
int policy_suggest_main(int argc, char **argv, struct err *err);

#endif
