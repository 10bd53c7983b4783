#ifndef REFUSALS_PROCESS_H
#define REFUSALS_PROCESS_H

#include "refusals.h"

/**
 * struct refusals_process - What the process that is asked knows
 * @rules, @permit: as of struct refusals
 * @listener:	of the filter
 * @report:	where struct refusal goes
 * @intake:	where listeners of other filters come from
 * @proc:	/proc
 */
struct refusals_process {
	const struct seccomp_set *rules;
	bool permit;
	int listener, report, intake, proc;
};

/* Its whole life, for spawn(); @arg is the struct refusals_process. */
int refusals_process(void *arg);

#endif
