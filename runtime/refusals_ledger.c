#include <errno.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "refusals.h"

/* Of a call that no rule refuses the filter did not ask: that is refused as unknown ones are. */
static struct ledger_line judge(const struct ledger *ledger,
                                const struct seccomp_data *data, const char *process)
{
	struct ledger_line line = { .arch = data->arch,
		                    .nr = (uint32_t)data->nr,
		                    .answer = ENOSYS };
	struct seccomp_verdict verdict = { 0 };
	const char *call = NULL;

	if (!seccomp_judge(ledger->rules, data, &call, &verdict))
		(void)snprintf(line.refusal.call, sizeof(line.refusal.call), "%u",
		               line.nr);
	else
		(void)snprintf(line.refusal.call, sizeof(line.refusal.call), "%s", call);
	if (verdict.rule && verdict.rule->answer != SECCOMP_ALLOW)
		line.answer = verdict.rule->answer;
	if (verdict.rule && ledger->permit && !verdict.never)
		line.answer = 0;
	line.refusal.has_value = verdict.has_value;
	line.refusal.value = verdict.value;
	line.refusal.permitted = line.answer == 0;
	(void)snprintf(line.refusal.process, sizeof(line.refusal.process), "%s", process);
	return line;
}

static bool is_same(const struct ledger_line *a, const struct ledger_line *b)
{
	return a->arch == b->arch && a->nr == b->nr &&
	       a->refusal.value == b->refusal.value &&
	       !strcmp(a->refusal.process, b->refusal.process);
}

int ledger_add(struct ledger *ledger, const struct seccomp_data *data,
               const char *process)
{
	const struct ledger_line line = judge(ledger, data, process);
	size_t at = 0;

	while (at < ledger->n && !is_same(&ledger->line[at], &line))
		at++;
	if (at == REFUSALS_MAX) {
		ledger->more++;
		return line.answer;
	}
	if (at == ledger->n)
		ledger->line[ledger->n++] = line;
	ledger->line[at].refusal.calls++;
	return line.answer;
}

static bool send_one(int sock, const struct refusal *refusal)
{
	ssize_t n;

	do
		n = send(sock, refusal, sizeof(*refusal), MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n >= 0;
}

/* So few lines of a log come of many calls. */
static bool is_due(uint64_t now, uint64_t told, bool last)
{
	return now > told && (last || told == 0 || now >= 10 * told);
}

bool ledger_tell(struct ledger *ledger, int sock, bool last)
{
	const struct refusal more = { .untold = ledger->more - ledger->more_told };

	for (size_t i = 0; i < ledger->n; i++) {
		struct ledger_line *line = &ledger->line[i];

		if (!is_due(line->refusal.calls, line->told, last))
			continue;
		if (!send_one(sock, &line->refusal))
			return false;
		line->told = line->refusal.calls;
	}
	if (!is_due(ledger->more, ledger->more_told, last))
		return true;
	if (!send_one(sock, &more))
		return false;
	ledger->more_told = ledger->more;
	return true;
}
