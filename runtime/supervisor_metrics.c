#include "supervisor_internal.h"

static bool has_v1(const struct supervisor *sup)
{
	for (size_t i = 0; i < CGROUP1_MAX; i++)
		if (sup->launch.cgroup1[i].fact)
			return true;
	return false;
}

void supervisor_metrics(void *ctx, struct metrics *ret)
{
	const struct supervisor *sup = ctx;
	struct err ignored = { 0 };

	metrics_begin(&sup->ws->record, ret);
	ret->ready &= !sup->exited;
	metrics_group(ret, sup->launch.limits);
	/* cgroup v1 is looked at in its own time. */
	if (sup->launch.limits < 0 || has_v1(sup))
		ret->events = sup->watch.now;
	if (sup->watchers.seen)
		metrics_watchers(ret, &sup->watchers.last);
	ret->has_network = traffic_numbers(&sup->traffic, &ret->network, &ignored) == 0;
}

int supervisor_metrics_start(struct supervisor *sup, struct err *err)
{
	struct metrics_server *metrics = &sup->metrics;
	int r;

	if (metrics->listener < 0)
		return 0;
	metrics->old_mask = &sup->old_mask;
	metrics->read = supervisor_metrics;
	metrics->say = supervisor_say;
	metrics->ctx = sup;
	r = metrics_server_start(metrics, &sup->loop, err);
	if (r == 0)
		r = supervisor_patient(sup, metrics->link, err);
	return r < 0 ? r : metrics_server_wait(metrics, err);
}
