#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdbool.h>

#define ERR_STEP_MAX 24
#define ERR_TEXT_MAX 512
#define ERR_HINT_MAX 320

/**
 * struct err - One failure, the path it took upwards and what mends it
 * @code:	errno value, positive; 0 while nothing has failed
 * @step:	the plan step or stage it happened in, "" until somebody knows
 * @text:	"outer: inner", NUL-terminated, no newline, cut at the end if long
 * @hint:	what the reader should change, "" where nothing is known
 *
 * Plain data of a fixed size on purpose: the child fills one in after clone3()
 * and it crosses the sync socket as it is, in one message.
 */
struct err {
	int code;
	char step[ERR_STEP_MAX];
	char text[ERR_TEXT_MAX];
	char hint[ERR_HINT_MAX];
};

/**
 * err_set() - Record a failure where the fact is known
 * @err:	must hold no failure yet
 * @code:	errno value, positive; 0 is taken as EINVAL
 * @fmt:	what was tried, with the names in quotes; the reason is appended by
 *		whoever prints, so no strerror() here
 *
 * Return: -@code, so that "return err_set(...)" is the whole error path.
 */
int err_set(struct err *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/**
 * err_wrap() - Put the purpose in front of a failure on its way up
 * @err:	holds a failure
 * @fmt:	the purpose, a verb phrase
 *
 * Return: -err->code.
 */
int err_wrap(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/**
 * err_hint() - Say what mends the failure
 * @err:	holds a failure; the first hint given is kept
 * @fmt:	one sentence, imperative
 *
 * Return: -err->code.
 */
int err_hint(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/**
 * err_step() - Name the step the failure happened in
 * @err:	holds a failure; the innermost step named is kept
 * @step:	short name, as in the plan
 *
 * Return: -err->code.
 */
int err_step(struct err *err, const char *step);

/* Forget the failure, so that @err can be used again. */
void err_clear(struct err *err);

#endif
