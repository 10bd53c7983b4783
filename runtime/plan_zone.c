#include <errno.h>
#include <string.h>

#include "plan.h"

/*
 * --tz: /etc/localtime, which the C library and systemd go by. A link into the root's own zones
 * where it has them, as systemd wants it; else a copy of the pod's.
 */

static int no_zone(const struct config *config, const struct facts *facts,
                   struct err *err)
{
	if (!facts->zone) {
		(void)err_set(err, ENOENT,
		              "--tz '%s': the pod's /etc/localtime is no link to a zone",
		              config->tz);
		(void)err_hint(err, "name it, as --tz Europe/Berlin");
	} else {
		(void)err_set(err, ENOENT,
		              "--tz '%s': neither the root nor the pod has such a zone",
		              config->tz);
		(void)err_hint(err, "'timedatectl list-timezones' lists them; they are "
		                    "in the package tzdata");
	}
	return err_step(err, "tz");
}

int plan_zone(struct plan *plan, const struct config *config, const struct facts *facts,
              struct err *err)
{
	struct step *s;

	if (!config->tz)
		return 0;
	if (!facts->zone || (!facts->root.has_zone && !facts->zone_in_pod))
		return no_zone(config, facts, err);
	if (!config->overlay && strcmp(config->rootfs, "host") != 0) {
		(void)err_set(err, EINVAL, "--tz '%s': '%s' is used in place", config->tz,
		              config->rootfs);
		(void)err_hint(err,
		               "leave it as it is with --rootfs DIR:O, set its own "
		               "/etc/localtime, or give commands -e TZ=%.100s",
		               facts->zone);
		return err_step(err, "tz");
	}
	s = plan_add(plan, ACTOR_WARDEN, facts->root.has_zone ? STEP_LINK : STEP_COPY,
	             facts->root.has_zone
	                     ? "asked for with --tz; a link, as systemd has it"
	                     : "asked for with --tz; the root has no zones of its own");
	s->target = "/etc/localtime";
	s->number = 1;
	if (facts->root.has_zone)
		s->value = arena_printf(&plan->arena, "../usr/share/zoneinfo/%s",
		                        facts->zone);
	else
		s->source =
			arena_printf(&plan->arena, "/usr/share/zoneinfo/%s", facts->zone);
	if (!facts->root.has_timezone)
		return 0;
	s = plan_add(plan, ACTOR_WARDEN, STEP_FILE, "where some programs look");
	s->target = "/etc/timezone";
	s->number = 0644;
	s->value = arena_printf(&plan->arena, "%s\n", facts->zone);
	return 0;
}
