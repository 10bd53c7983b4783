/*
 * For make analyze alone, included before everything else. An analyzer sees one file
 * at a time, so it believes that err_set() might return 0 and that a function went
 * well which did not. Its contract is told here: what these return is negative.
 */
#include "base/err.h"

#define err_set(...) ((void)(err_set)(__VA_ARGS__), -1)
#define err_wrap(...) ((void)(err_wrap)(__VA_ARGS__), -1)
#define err_hint(...) ((void)(err_hint)(__VA_ARGS__), -1)
#define err_step(...) ((void)(err_step)(__VA_ARGS__), -1)
