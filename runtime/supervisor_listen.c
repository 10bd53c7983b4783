#include "supervisor_internal.h"

#include <errno.h>

#include "sync.h"

int supervisor_listen(struct supervisor *sup, struct err *err)
{
	const struct config *config = sup->ws->config;
	const struct seccomp_choice choice = { config->seccomp, config->seccomp_allow,
		                               config->seccomp_deny };
	int listener = -EBADF;
	int r;

	if (!config_listens(config))
		return 0;
	r = seccomp_choose(&choice, SECCOMP_ASK, &sup->rules, err);
	if (r == 0)
		r = sync_expect(sup->launch.sync.init[0], SYNC_LISTENER, NULL, &listener,
		                1, err);
	if (r < 0)
		return r;
	sup->refusals.loop = &sup->loop;
	sup->refusals.ctx = sup;
	sup->refusals.told = supervisor_audit_refusal;
	sup->refusals.lost = supervisor_audit_unheard;
	sup->refusals.rules = &sup->rules.set;
	sup->refusals.permit = config->audit_permissive;
	sup->refusals.clone3 = sup->ws->facts->clone3;
	r = refusals_start(&sup->refusals, listener, err);
	return r < 0 ? err_step(err, "seccomp") : 0;
}
