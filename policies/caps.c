#include "policies/caps.h"

#include <errno.h>
#include <string.h>
#include <sys/capability.h>

#include "base/nearest.h"

int caps_keep_only(const int *keep, size_t n, struct err *err)
{
	cap_t caps = cap_init(), now = cap_get_proc();
	int r = 0;

	if (!caps || !now)
		r = err_set(err, errno, "look at our capabilities");
	for (size_t i = 0; i < n && r == 0; i++) {
		cap_flag_value_t had = CAP_CLEAR;

		if (cap_get_flag(now, keep[i], CAP_PERMITTED, &had) < 0 ||
		    cap_set_flag(caps, CAP_PERMITTED, 1, &keep[i], had) < 0 ||
		    cap_set_flag(caps, CAP_EFFECTIVE, 1, &keep[i], had) < 0)
			r = err_set(err, errno, "choose capability %d", keep[i]);
	}
	if (r == 0 && cap_set_proc(caps) < 0)
		r = err_set(err, errno, "drop capabilities");
	(void)cap_free(caps);
	(void)cap_free(now);
	return r;
}

/* Of libcap's "cap_net_raw" what comes after the first word. */
#define PREFIX "cap_"

/* Into @ret, which has room for @size bytes, as libcap spells it. */
static void spell(const char *name, size_t len, char *ret, size_t size)
{
	size_t n = 0;

	if (strncasecmp(name, PREFIX, strlen(PREFIX)) != 0)
		n = strlen(strcpy(ret, PREFIX));
	for (size_t i = 0; i < len && n + 1 < size; i++)
		ret[n++] = (char)(name[i] >= 'A' && name[i] <= 'Z' ? name[i] | 0x20
		                                                   : name[i]);
	ret[n] = '\0';
}

static int refuse(const char *name, size_t len, const char *spelled, struct err *err)
{
	struct nearest near;
	char *known;

	(void)err_set(err, EINVAL, "'%.*s' is no capability", (int)len, name);
	nearest_begin(&near, spelled);
	for (cap_value_t i = 0; (known = cap_to_name(i)); i++) {
		bool named = strncmp(known, PREFIX, strlen(PREFIX)) == 0;

		if (named)
			nearest_try(&near, known);
		if (near.ret == known)
			(void)err_hint(err, "did you mean '%s'?", known + strlen(PREFIX));
		(void)cap_free(known);
		if (!named)
			break;
	}
	return -err->code;
}

int caps_parse(const char *text, uint64_t *ret, struct err *err)
{
	uint64_t mask = 0;

	for (const char *p = text;; p++) {
		const size_t len = strcspn(p, ",");
		char name[64];
		cap_value_t cap;

		spell(p, len, name, sizeof(name));
		if (!strcmp(name, PREFIX "all"))
			mask = CAPS_ALL;
		else if (len == 0 ||
		         strspn(name, "abcdefghijklmnopqrstuvwxyz_") != strlen(name) ||
		         cap_from_name(name, &cap) < 0)
			return refuse(p, len, name, err);
		else
			mask |= UINT64_C(1) << cap;
		p += len;
		if (*p == '\0')
			break;
	}
	*ret |= mask;
	return 0;
}

const char *caps_text(uint64_t mask, struct arena *arena)
{
	const char *text = "";

	if (mask == CAPS_ALL)
		return "all";
	for (cap_value_t i = 0; i < 64; i++) {
		char *name;

		if (!(mask & UINT64_C(1) << i))
			continue;
		name = cap_to_name(i);
		if (name && !strncmp(name, PREFIX, strlen(PREFIX)))
			text = arena_printf(arena, "%s%s%s", text, *text ? "," : "",
			                    name + strlen(PREFIX));
		(void)cap_free(name);
	}
	return text;
}

int caps_unbind(uint64_t drop, struct err *err)
{
	cap_t caps;

	for (cap_value_t i = 0; i < cap_max_bits(); i++)
		if (drop & UINT64_C(1) << i && cap_drop_bound(i) < 0)
			return err_set(err, errno,
			               "take capability %d out of the bounding set", i);
	caps = cap_get_proc();
	if (!caps || cap_clear_flag(caps, CAP_INHERITABLE) < 0 || cap_set_proc(caps) < 0)
		(void)err_set(err, errno, "clear the inheritable capabilities");
	(void)cap_free(caps);
	return err->code ? -err->code : 0;
}

bool caps_effective(int cap)
{
	cap_flag_value_t value = CAP_CLEAR;
	cap_t caps = cap_get_proc();

	if (!caps || cap_get_flag(caps, cap, CAP_EFFECTIVE, &value) < 0)
		value = CAP_CLEAR;
	(void)cap_free(caps);
	return value == CAP_SET;
}
