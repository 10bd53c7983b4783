#ifndef REFUSALS_H
#define REFUSALS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "loop.h"
#include "policies/seccomp_choice.h"

/*
 * Refused system calls are told: the filter asks a process of ours, outside the workspace
 * (seccomp_unotify(2)). It writes down who called what and then refuses, as the filter would have,
 * or lets the kernel go on (--audit-permissive).
 *
 * Whoever calls waits for it, so it waits for nobody: not for the supervisor, whose socket may be
 * full, nor for anything inside. It takes a twentieth of a processor at most, however many calls
 * come, and keeps REFUSALS_MAX kinds of them; others are counted.
 */

#define REFUSALS_MAX 256
#define REFUSALS_LISTENERS 64 /* filters; those of more exec's at a time get ENOSYS */
#define REFUSALS_SHARE 20     /* one part in so many of a processor */

/**
 * struct refusal - A kind of call that the policy refuses; plain data of a socket
 * @call:	its name
 * @process:	what calls itself so inside; as it is, not escaped
 * @has_value, @value: the argument that decided, where one did
 * @permitted:	the kernel went on all the same
 * @calls:	so many until now
 * @untold:	not 0: only that so many more were made that are not told one by one
 * @end:	nobody is left who could call
 * @unheard:	there was no place for one more listener: who it is of is answered ENOSYS
 */
struct refusal {
	char call[SECCOMP_NAME_MAX];
	char process[16];
	bool has_value, permitted, end, unheard;
	uint32_t value;
	uint64_t calls, untold;
};

/**
 * struct refusals - From the supervisor's side
 * @loop, @ctx:	borrowed
 * @told:	called with each
 * @lost:	@text says who is not heard: such calls get ENOSYS and are not told
 * @rules:	what refuses
 * @permit:	let the kernel go on, but for what no policy can allow
 * @clone3:	the call is there (facts.clone3)
 *
 * The rest is its own.
 */
struct refusals {
	struct loop *loop;
	void *ctx;
	void (*told)(void *ctx, const struct refusal *refusal);
	void (*lost)(void *ctx, const char *text);
	const struct seccomp_set *rules;
	bool permit, clone3;

	int report, pidfd;
	int intake; /* SYNC_LISTENER here: of what exec starts */
	pid_t pid;
};

/* Nothing is there. */
void refusals_init(struct refusals *refusals);

/**
 * refusals_start() - Start the process that is asked
 * @refusals:	filled in
 * @listener:	of the filter; ours from now on, and closed here, since a second holder would let
 *		callers wait for a process that is gone
 * @err:	filled in on failure
 *
 * Return: 0; -errno.
 */
int refusals_start(struct refusals *refusals, int listener, struct err *err);

/* The last ones, when nothing is left inside. */
void refusals_finish(struct refusals *refusals);

/* Ends the process. */
void refusals_close(struct refusals *refusals);

/**
 * struct ledger - What a listener has written down
 * @rules, @permit: as of struct refusals
 * @line:	kinds of calls
 * @n:		how many
 * @more:	calls that found no line, @more_told of them told
 */
struct ledger {
	const struct seccomp_set *rules;
	bool permit;
	struct ledger_line {
		uint32_t arch, nr;
		int answer; /* errno; 0: let the kernel go on */
		struct refusal refusal;
		uint64_t told;
	} line[REFUSALS_MAX];
	size_t n;
	uint64_t more, more_told;
};

/**
 * ledger_add() - Write down a call
 * @ledger:	where
 * @data:	the call
 * @process:	what it calls itself, 15 bytes at most
 *
 * Return: the errno for the caller; 0: let the kernel go on.
 */
struct seccomp_data;
int ledger_add(struct ledger *ledger, const struct seccomp_data *data,
               const char *process);

/**
 * ledger_tell() - Send what is new
 * @ledger:	of which
 * @sock:	SOCK_SEQPACKET; does not make us wait
 * @last:	each number to its end; else a line is told anew when there are ten times as many
 *
 * Return: false where it found no room for all of it.
 */
bool ledger_tell(struct ledger *ledger, int sock, bool last);

#endif
