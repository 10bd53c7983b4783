#include "policies/seccomp_choice.h"

#include <errno.h>
#include <linux/ipc.h>
#include <linux/net.h>
#include <linux/sched.h>
#include <string.h>
#include <sys/socket.h>

#include "base/nearest.h"

#define N_ELEMENTS(array) (sizeof(array) / sizeof((array)[0]))
#define I386_PROFILE "workspace-i386"

/*
 * No policy allows these, for what they reach has no namespace: who needs them inside needs
 * another node, not another policy. Each is refused by a rule, whose reason is told.
 */
static const char never_allowed[] =
	"kexec_load kexec_file_load init_module finit_module delete_module swapon "
	"swapoff "
	"acct settimeofday clock_settime clock_settime64 stime ioperm iopl vhangup "
	"nfsservctl open_by_handle_at";

/* Without these nothing runs at all. */
static const char never_denied[] =
	"brk close execve exit exit_group mmap mprotect munmap "
	"read rt_sigprocmask rt_sigreturn write";

/* For these the C library has an older way, and takes ENOSYS only as the reason to go it. */
static const char younger[] = "clone3 close_range epoll_pwait2 faccessat2 fchmodat2 "
			      "openat2 rseq statx";

/* What seccomp_item_risk() grades as SECCOMP_ESCAPE. */
static const char escapes[] = "bpf perf_event_open userfaultfd io_uring_setup "
			      "io_uring_enter io_uring_register";

#define FAMILY(name)                   \
	{                              \
		"socket:" #name, name, \
	}
static const struct family {
	const char *item;
	uint32_t family;
} families[] = {
	FAMILY(AF_ALG),     FAMILY(AF_AX25),  FAMILY(AF_BLUETOOTH), FAMILY(AF_CAN),
	FAMILY(AF_INET),    FAMILY(AF_INET6), FAMILY(AF_KCM),       FAMILY(AF_KEY),
	FAMILY(AF_NETLINK), FAMILY(AF_NFC),   FAMILY(AF_PACKET),    FAMILY(AF_PPPOX),
	FAMILY(AF_QIPCRTR), FAMILY(AF_RDS),   FAMILY(AF_SMC),       FAMILY(AF_TIPC),
	FAMILY(AF_UNIX),    FAMILY(AF_VSOCK), FAMILY(AF_X25),       FAMILY(AF_XDP),
};

/*
 * The flags of clone(2) that make a namespace. Every machine of berth passes them first, as
 * unshare(2) does; s390 would second. In clone(2) the time namespace's bit is a signal's.
 */
#define NAMESPACE(name, calls)                   \
	{                                        \
		"namespace:" #name, name, calls, \
	}
#define BOTH "clone unshare"
static const struct namespace
{
	const char *item;
	uint32_t flag;
	const char *calls;
}
namespaces[] = {
	NAMESPACE(CLONE_NEWCGROUP, BOTH), NAMESPACE(CLONE_NEWIPC, BOTH),
	NAMESPACE(CLONE_NEWNET, BOTH),    NAMESPACE(CLONE_NEWNS, BOTH),
	NAMESPACE(CLONE_NEWPID, BOTH),    NAMESPACE(CLONE_NEWTIME, "unshare"),
	NAMESPACE(CLONE_NEWUSER, BOTH),   NAMESPACE(CLONE_NEWUTS, BOTH),
};

/* i386 makes these by one call for many, too, whose first argument says which. */
static const struct part {
	const char *call, *whole;
	uint32_t mask, value;
} parts[] = {
#define SOCKET(call, value)                           \
	{                                             \
		call, "socketcall", UINT32_MAX, value \
	}
#define IPC(call, value)                   \
	{                                  \
		call, "ipc", 0xffff, value \
	}
	SOCKET("socket", SYS_SOCKET),
	SOCKET("bind", SYS_BIND),
	SOCKET("connect", SYS_CONNECT),
	SOCKET("listen", SYS_LISTEN),
	SOCKET("accept", SYS_ACCEPT),
	SOCKET("getsockname", SYS_GETSOCKNAME),
	SOCKET("getpeername", SYS_GETPEERNAME),
	SOCKET("socketpair", SYS_SOCKETPAIR),
	SOCKET("send", SYS_SEND),
	SOCKET("recv", SYS_RECV),
	SOCKET("sendto", SYS_SENDTO),
	SOCKET("recvfrom", SYS_RECVFROM),
	SOCKET("shutdown", SYS_SHUTDOWN),
	SOCKET("setsockopt", SYS_SETSOCKOPT),
	SOCKET("getsockopt", SYS_GETSOCKOPT),
	SOCKET("sendmsg", SYS_SENDMSG),
	SOCKET("recvmsg", SYS_RECVMSG),
	SOCKET("accept4", SYS_ACCEPT4),
	SOCKET("recvmmsg", SYS_RECVMMSG),
	SOCKET("sendmmsg", SYS_SENDMMSG),
	IPC("semop", SEMOP),
	IPC("semget", SEMGET),
	IPC("semctl", SEMCTL),
	IPC("semtimedop", SEMTIMEDOP),
	IPC("msgsnd", MSGSND),
	IPC("msgrcv", MSGRCV),
	IPC("msgget", MSGGET),
	IPC("msgctl", MSGCTL),
	IPC("shmat", SHMAT),
	IPC("shmdt", SHMDT),
	IPC("shmget", SHMGET),
	IPC("shmctl", SHMCTL),
#undef SOCKET
#undef IPC
};

static const struct seccomp_set *find_set(const char *name)
{
	for (size_t i = 0; i < seccomp_sets_n; i++)
		if (!strcmp(seccomp_sets[i].name, name))
			return &seccomp_sets[i];
	return NULL;
}

bool seccomp_is_profile(const char *name)
{
	return !strcmp(name, SECCOMP_DEFAULT) || !strcmp(name, I386_PROFILE);
}

/* Whether a list, as in a rule, has @call. */
static bool lists(const char *calls, const char *call)
{
	return seccomp_rule_has(&(struct seccomp_rule){ .calls = calls }, call);
}

/* The first rule of @set that names @call, or only the one for whatever arguments. */
static const struct seccomp_rule *find_rule(const struct seccomp_set *set,
                                            const char *call, bool final)
{
	for (size_t i = 0; i < set->n; i++)
		if (seccomp_rule_has(&set->rules[i], call) &&
		    !(final && set->rules[i].mask))
			return &set->rules[i];
	return NULL;
}

static const struct family *find_family(const char *item)
{
	for (size_t i = 0; i < N_ELEMENTS(families); i++)
		if (!strcmp(families[i].item, item))
			return &families[i];
	return NULL;
}

static const struct namespace *find_namespace(const char *item)
{
	for (size_t i = 0; i < N_ELEMENTS(namespaces); i++)
		if (!strcmp(namespaces[i].item, item))
			return &namespaces[i];
	return NULL;
}

/* The next name of a list; false at its end, or where a name is too long to be one. */
static bool next_item(const char **items, char *name, size_t size)
{
	const size_t len = strcspn(*items, ",");

	if (**items == '\0')
		return false;
	if (len >= size) {
		(void)memcpy(name, *items, size - 1);
		name[size - 1] = '\0';
		*items += strlen(*items);
		return true;
	}
	(void)memcpy(name, *items, len);
	name[len] = '\0';
	*items += len + ((*items)[len] == ',');
	return true;
}

bool seccomp_items_have(const char *items, const char *item)
{
	char name[SECCOMP_NAME_MAX];

	while (items && next_item(&items, name, sizeof(name)))
		if (!strcmp(name, item))
			return true;
	return false;
}

static int unknown(const char *item, struct err *err)
{
	struct nearest near;

	(void)err_set(err, EINVAL, "'%s' is no system call", item);
	nearest_begin(&near, item);
	for (size_t i = 0; i < seccomp_abis_n; i++)
		for (size_t j = 0; j < seccomp_abis[i].n; j++)
			nearest_try(&near, seccomp_abis[i].call[j].name);
	for (size_t i = 0; i < N_ELEMENTS(families); i++)
		nearest_try(&near, families[i].item);
	for (size_t i = 0; i < N_ELEMENTS(namespaces); i++)
		nearest_try(&near, namespaces[i].item);
	if (near.ret)
		return err_hint(err, "did you mean '%s'?", near.ret);
	return err_hint(err, "names are the kernel's, as in syscalls(2); of socket a "
	                     "family can be named: socket:AF_ALG");
}

const char *seccomp_item(const char *call, uint32_t value)
{
	for (size_t i = 0; !strcmp(call, "socket") && i < N_ELEMENTS(families); i++)
		if (families[i].family == value)
			return families[i].item;
	return call;
}

bool seccomp_never_allowed(const char *call)
{
	return lists(never_allowed, call) || !strcmp(call, "ioctl");
}

bool seccomp_makes_namespaces(const char *call)
{
	return lists("clone clone3 setns unshare", call);
}

static int check_allowed(const char *item, struct err *err)
{
	const struct seccomp_rule *rule = find_rule(&seccomp_sets[0], item, false);

	if (lists(never_allowed, item)) {
		(void)err_set(err, EPERM, "'%s' is never allowed: %s", item, rule->why);
		return err_hint(err, "leave it out; what needs it cannot run inside");
	}
	if (!strcmp(item, "ioctl")) {
		(void)err_set(err, EPERM,
		              "'ioctl' is allowed but for what types into terminals, "
		              "which is never allowed");
		return err_hint(err, "leave it out");
	}
	if (!strcmp(item, "socket")) {
		(void)err_set(err, EPERM, "'socket' is decided by its address family");
		return err_hint(err, "name that: socket:AF_ALG, socket:AF_VSOCK");
	}
	if (!strcmp(item, "socketcall")) {
		(void)err_set(err, EPERM,
		              "'socketcall' has its address family behind a pointer");
		return err_hint(err,
		                "seccomp.profile '%s' allows it, and with it any "
		                "family for 32-bit programs",
		                I386_PROFILE);
	}
	return 0;
}

static int check_item(const char *item, bool allow, struct err *err)
{
	if (find_family(item) || (find_namespace(item) && !allow))
		return 0;
	if (find_namespace(item)) {
		(void)err_set(err, EPERM, "'%s' is allowed where nothing denies it",
		              item);
		return err_hint(err, "leave it out, and what denies it: seccomp.deny, or "
		                     "\"nested\": false");
	}
	if (*item == '\0' || !find_rule(&seccomp_sets[0], item, false))
		return unknown(item, err);
	if (allow)
		return check_allowed(item, err);
	if (!lists(never_denied, item))
		return 0;
	(void)err_set(err, EPERM, "'%s' is never denied: nothing runs without it", item);
	return err_hint(err, "leave it out");
}

int seccomp_items_check(const char *items, bool allow, struct err *err)
{
	const size_t len = strlen(items);
	char item[SECCOMP_NAME_MAX];
	int r = len > 0 && items[len - 1] != ',' ? 0 : unknown("", err);

	while (r == 0 && next_item(&items, item, sizeof(item)))
		r = check_item(item, allow, err);
	return r;
}

enum seccomp_risk seccomp_item_risk(const char *item)
{
	const struct family *family = find_family(item);
	const struct seccomp_rule *rule;

	if (family)
		return family->family == AF_VSOCK ? SECCOMP_ESCAPE
		       : family->family == AF_ALG ? SECCOMP_MORE
		                                  : SECCOMP_HARMLESS;
	if (lists(escapes, item))
		return SECCOMP_ESCAPE;
	rule = find_rule(&seccomp_sets[0], item, false);
	return rule && (rule->answer != SECCOMP_ALLOW || rule->mask) ? SECCOMP_MORE
	                                                             : SECCOMP_HARMLESS;
}

static int add_rule(struct seccomp_chosen *chosen, struct seccomp_rule rule,
                    struct err *err)
{
	if (chosen->set.n == SECCOMP_RULES_MAX)
		return err_set(err, E2BIG, "over %d rules of system calls",
		               SECCOMP_RULES_MAX);
	chosen->rule[chosen->set.n++] = rule;
	return 0;
}

/* A name that lasts. */
static const char *keep(struct seccomp_chosen *chosen, const char *name)
{
	const size_t len = strlen(name) + 1;
	char *ret = chosen->text + chosen->used;

	if (chosen->used + len > sizeof(chosen->text))
		return NULL;
	chosen->used += len;
	return memcpy(ret, name, len);
}

static int deny_call(const struct seccomp_set *base, struct seccomp_chosen *chosen,
                     const char *call, struct err *err)
{
	const struct seccomp_rule *rule = find_rule(base, call, true);
	struct seccomp_rule denied = { .calls = keep(chosen, call),
		                       .answer = lists(younger, call) ? ENOSYS : EPERM,
		                       .why = "the policy denies it" };
	int r = 0;

	if (!denied.calls)
		return err_set(err, E2BIG, "deny '%s', too", call);
	/* What is refused anyway keeps the answer that its callers are known to take well. */
	if (rule && rule->answer != SECCOMP_ALLOW)
		denied.answer = rule->answer;
	for (size_t i = 0; i < N_ELEMENTS(parts) && r == 0; i++)
		if (!strcmp(parts[i].call, call))
			r = add_rule(chosen,
			             (struct seccomp_rule){ parts[i].whole, EPERM,
			                                    denied.why, 0, parts[i].mask,
			                                    parts[i].value, false },
			             err);
	return r == 0 ? add_rule(chosen, denied, err) : r;
}

/*
 * A namespace of one kind: neither made nor, where it is asked for by name, joined. clone3(2)
 * has its flags behind a pointer, and libraries go back to clone(2) without it: with each thread
 * and child they make, so nobody is asked about that.
 */
static int deny_namespace(struct seccomp_chosen *chosen, const struct namespace *kind,
                          struct err *err)
{
	static const char why[] = "the policy denies namespaces of that kind";
	const struct seccomp_rule rules[] = {
		{ kind->calls, EPERM, why, 0, kind->flag, kind->flag, false },
		{ "setns", EPERM, why, 1, kind->flag, kind->flag, false },
		{ "clone3", ENOSYS,
		  "its flags are behind a pointer, and the policy denies "
		  "a kind of namespace",
		  0, 0, 0, true },
	};
	int r = 0;

	for (size_t i = 0; i < N_ELEMENTS(rules) && r == 0; i++)
		r = add_rule(chosen, rules[i], err);
	return r;
}

static int add_item(const struct seccomp_set *base, struct seccomp_chosen *chosen,
                    const char *item, bool allow, struct err *err)
{
	const struct family *family = find_family(item);
	struct seccomp_rule allowed = { .answer = SECCOMP_ALLOW,
		                        .why = "the policy allows it" };

	if (family)
		return add_rule(chosen,
		                (struct seccomp_rule){
					.calls = "socket socketpair",
					.answer = allow ? SECCOMP_ALLOW : EAFNOSUPPORT,
					.why = allow ? allowed.why
		                                     : "the policy denies the family",
					.mask = UINT32_MAX,
					.value = family->family },
		                err);
	if (!allow && find_namespace(item))
		return deny_namespace(chosen, find_namespace(item), err);
	if (!allow)
		return deny_call(base, chosen, item, err);
	allowed.calls = keep(chosen, item);
	return allowed.calls ? add_rule(chosen, allowed, err)
	                     : err_set(err, E2BIG, "allow '%s', too", item);
}

static int add_items(const struct seccomp_set *base, struct seccomp_chosen *chosen,
                     const char *items, bool allow, struct err *err)
{
	char item[SECCOMP_NAME_MAX];
	int r = 0;

	while (r == 0 && items && next_item(&items, item, sizeof(item))) {
		/* Any family passes there behind a pointer. */
		if (!allow && find_family(item) && base->waive) {
			(void)err_set(err, EINVAL,
			              "'%s' is denied under seccomp.profile '%s', where "
			              "32-bit programs get any family",
			              item, base->name);
			return err_hint(err, "take seccomp.profile '" SECCOMP_DEFAULT
			                     "', or leave it out");
		}
		r = add_item(base, chosen, item, allow, err);
	}
	return r;
}

int seccomp_choose(const struct seccomp_choice *choice, enum seccomp_mode mode,
                   struct seccomp_chosen *ret, struct err *err)
{
	const char *name = choice->profile ? choice->profile : SECCOMP_DEFAULT;
	const struct seccomp_set *base = find_set(name);
	int r;

	if (!base || !seccomp_is_profile(name))
		return err_set(err, EINVAL, "no seccomp filter '%s'", name);
	ret->set = (struct seccomp_set){ .name = base->name,
		                         .why = base->why,
		                         .rules = ret->rule,
		                         .compat = base->compat,
		                         .ask = mode == SECCOMP_ASK };
	ret->used = 0;
	r = add_items(base, ret, choice->deny, false, err);
	if (r == 0)
		r = add_items(base, ret, choice->allow, true, err);
	for (size_t i = 0; r == 0 && i < base->n; i++) {
		const struct seccomp_rule *rule = &base->rules[i];

		/* Not by a name in the set: rules of the policy for that call have to stay. */
		if (!rule->mask || !base->waive || !seccomp_rule_has(rule, base->waive))
			r = add_rule(ret, *rule, err);
	}
	return r;
}

const struct seccomp_filter *seccomp_built(const struct seccomp_choice *choice,
                                           enum seccomp_mode mode)
{
	const char *name = choice->profile ? choice->profile : SECCOMP_DEFAULT;
	const struct seccomp_filter *built = seccomp_find(name);

	return built && seccomp_is_profile(name) && !choice->allow && !choice->deny &&
	                       mode == SECCOMP_REFUSE
	               ? built
	               : NULL;
}

int seccomp_make(const struct seccomp_choice *choice, enum seccomp_mode mode,
                 struct seccomp_made *ret, struct err *err)
{
	const struct seccomp_filter *built = seccomp_built(choice, mode);
	int r;

	if (built) {
		ret->filter = *built;
		return 0;
	}
	r = seccomp_choose(choice, mode, &ret->chosen, err);
	if (r == 0)
		r = seccomp_assemble(&ret->chosen.set, seccomp_abis,
		                     ret->chosen.set.compat ? seccomp_abis_n : 1,
		                     &ret->program, err);
	if (r < 0)
		return r;
	ret->filter = (struct seccomp_filter){
		ret->chosen.set.name,
		ret->program.insn + ret->program.start,
		(unsigned short)(BPF_MAXINSNS - ret->program.start),
	};
	return 0;
}
