/*
 * The rules of a set as BPF.
 *
 * For each ABI a binary search over the number: neighbours with the same answer are one span,
 * and the leaves are shared. That keeps a filter of 800 calls at some 300 instructions, while a
 * leaf for each call, as libseccomp makes it, takes over 1000; and the kernel checks, translates
 * and compiles every one of them at each launch (0.3 ms against 0.1).
 *
 * A call whose arguments decide has a tail of its own, which the spans jump to. All before the
 * tails looks at the ABI and the number only. That matters: since 5.11 the kernel remembers which
 * calls a filter always allows, and skips it for those; it gives up on a path that reads an
 * argument (kernel/seccomp.c, seccomp_is_const_allow()).
 */
#include "policies/seccomp_assemble.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <string.h>

#define JUMP_MAX \
	254 /* a conditional jump has eight bits; one instruction may still come between */
#define TAILS_MAX 16
#define SLOTS (2 * SECCOMP_CALLS_MAX) /* of names; half of them stay empty at least */

#define ASK 4096 /* not an errno: SECCOMP_RET_USER_NOTIF */

/* The place in @tails of a call whose arguments decide; answers are not negative. */
#define TAIL(i) (-1 - (int)(i))

/**
 * struct span - Numbers with the same answer
 * @first:	the first of them; up to the next span's
 * @answer:	SECCOMP_ALLOW, an errno, ASK, or TAIL()
 */
struct span {
	uint32_t first;
	int answer;
};

/**
 * struct assembly - A filter in the making
 * @tail:	of calls whose arguments decide, those of all ABIs
 * @span:	of the ABI at hand
 * @rule:	of each of its calls, the first one that counts; NULL: none names it
 * @slot:	1 + the index of a call, where its name leads to
 */
struct assembly {
	const struct seccomp_set *set;
	struct seccomp_program *prog;
	struct {
		const char *call;
		size_t at; /* its first instruction */
	} tail[TAILS_MAX];
	size_t tails;
	struct span span[2 * SECCOMP_CALLS_MAX + 1];
	size_t spans;
	const struct seccomp_rule *rule[SECCOMP_CALLS_MAX];
	uint16_t slot[SLOTS];
};

/* A waived call keeps its rule without a mask. */
static bool counts(const struct seccomp_set *set, const struct seccomp_rule *rule)
{
	return !rule->mask || !set->waive || !seccomp_rule_has(rule, set->waive);
}

/* Puts an instruction before all others; what it jumps to is given as an index. */
static int put(struct seccomp_program *prog, int code, size_t yes, size_t no, uint32_t k,
               struct err *err)
{
	if (prog->start == 0)
		return err_set(err, E2BIG, "the filter has over %d instructions",
		               BPF_MAXINSNS);
	prog->insn[prog->start - 1] = (struct sock_filter){
		.code = (uint16_t)code,
		.jt = (uint8_t)(yes - prog->start),
		.jf = (uint8_t)(no - prog->start),
		.k = k,
	};
	prog->start--;
	return 0;
}

/* One that does not jump. */
static int put_plain(struct seccomp_program *prog, int code, uint32_t k, struct err *err)
{
	return put(prog, code, prog->start, prog->start, k, err);
}

static int put_load(struct seccomp_program *prog, size_t offset, struct err *err)
{
	return put_plain(prog, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, err);
}

static uint32_t action(int answer)
{
	if (answer == ASK)
		return SECCOMP_RET_USER_NOTIF;
	return answer == SECCOMP_ALLOW ? SECCOMP_RET_ALLOW
	                               : SECCOMP_RET_ERRNO | (uint32_t)answer;
}

static int answer_of(const struct seccomp_set *set, const struct seccomp_rule *rule)
{
	return set->ask && rule->answer != SECCOMP_ALLOW && !rule->unasked ? ASK
	                                                                   : rule->answer;
}

/* Where a conditional jump finds @insn, which is put there if it is not yet. */
static int reach_same(struct seccomp_program *prog, struct sock_filter insn, size_t *ret,
                      struct err *err)
{
	int r;

	for (size_t i = prog->start; i < BPF_MAXINSNS && i <= prog->start + JUMP_MAX; i++)
		if (prog->insn[i].code == insn.code && prog->insn[i].k == insn.k) {
			*ret = i;
			return 0;
		}
	r = put_plain(prog, insn.code, insn.k, err);
	if (r == 0)
		*ret = prog->start;
	return r;
}

static int reach_answer(struct seccomp_program *prog, int answer, size_t *ret,
                        struct err *err)
{
	struct sock_filter insn = { .code = BPF_RET | BPF_K, .k = action(answer) };

	return reach_same(prog, insn, ret, err);
}

/* Moves @target to where a conditional jump can go: another answer like it, or a jump there. */
static int reach(struct seccomp_program *prog, size_t *target, struct err *err)
{
	const struct sock_filter *insn = &prog->insn[*target];
	int r;

	if (*target - prog->start <= JUMP_MAX)
		return 0;
	if (insn->code == (BPF_RET | BPF_K))
		return reach_same(prog, *insn, target, err);
	r = put_plain(prog, BPF_JMP | BPF_JA, (uint32_t)(*target - prog->start), err);
	if (r == 0)
		*target = prog->start;
	return r;
}

/* "If what was loaded compares so with @k, go on at @yes, else at @no." */
static int put_branch(struct seccomp_program *prog, int code, uint32_t k, size_t yes,
                      size_t no, struct err *err)
{
	int r = reach(prog, &yes, err);

	if (r == 0)
		r = reach(prog, &no, err);
	if (r == 0)
		r = put(prog, BPF_JMP | code | BPF_K, yes, no, k, err);
	return r;
}

/* A rule with a mask; what does not match goes on behind it. */
static int put_rule(struct assembly *as, const struct seccomp_rule *rule, struct err *err)
{
	struct seccomp_program *prog = as->prog;
	size_t next = prog->start, answer;
	int r = reach_answer(prog, answer_of(as->set, rule), &answer, err);

	if (r == 0)
		r = put_branch(prog, BPF_JEQ, rule->value, answer, next, err);
	if (r == 0 && rule->mask != UINT32_MAX)
		r = put_plain(prog, BPF_ALU | BPF_AND | BPF_K, rule->mask, err);
	/* The low word stands first: every machine of berth is little-endian. */
	if (r == 0)
		r = put_load(prog, offsetof(struct seccomp_data, args[rule->arg]), err);
	return r;
}

/* The tail of @call, put there when it is first asked for. */
static int find_tail(struct assembly *as, const char *call, int *ret, struct err *err)
{
	const struct seccomp_set *set = as->set;
	size_t final = 0;
	int r;

	for (size_t i = 0; i < as->tails; i++)
		if (strcmp(as->tail[i].call, call) == 0) {
			*ret = TAIL(i);
			return 0;
		}
	if (as->tails == TAILS_MAX)
		return err_set(err, E2BIG, "arguments of '%s' and %d more calls", call,
		               TAILS_MAX);

	/* The rule without a mask answers whatever is left. */
	while (final < set->n && (set->rules[final].mask != 0 ||
	                          !seccomp_rule_has(&set->rules[final], call)))
		final++;
	if (final == set->n)
		return err_set(err, EINVAL, "'%s' has no rule for its other arguments",
		               call);
	r = put_plain(as->prog, BPF_RET | BPF_K,
	              action(answer_of(set, &set->rules[final])), err);
	for (size_t i = final; i-- > 0 && r == 0;)
		if (set->rules[i].mask && counts(set, &set->rules[i]) &&
		    seccomp_rule_has(&set->rules[i], call))
			r = put_rule(as, &set->rules[i], err);
	if (r < 0)
		return r;
	as->tail[as->tails].call = call;
	as->tail[as->tails].at = as->prog->start;
	*ret = TAIL(as->tails++);
	return 0;
}

/* Where the name of a call is, or would be (FNV-1a). */
static size_t find_slot(const struct assembly *as, const struct seccomp_abi *abi,
                        const char *name)
{
	uint32_t hash = 2166136261U;
	size_t at;

	for (const char *p = name; *p; p++)
		hash = (hash ^ (unsigned char)*p) * 16777619U;
	at = hash % SLOTS;
	while (as->slot[at] && strcmp(abi->call[as->slot[at] - 1].name, name) != 0)
		at = (at + 1) % SLOTS;
	return at;
}

/* From the rules to the calls: the other way each of 400 calls would look at 450 names. */
static void find_rules(struct assembly *as, const struct seccomp_abi *abi)
{
	memset(as->rule, 0, sizeof(as->rule));
	memset(as->slot, 0, sizeof(as->slot));
	for (size_t i = 0; i < abi->n; i++)
		as->slot[find_slot(as, abi, abi->call[i].name)] = (uint16_t)(i + 1);
	for (size_t i = 0; i < as->set->n; i++) {
		const struct seccomp_rule *rule = &as->set->rules[i];
		const char *calls = rule->calls;
		char name[SECCOMP_NAME_MAX];

		if (!counts(as->set, rule))
			continue;
		while (seccomp_next_call(&calls, name, sizeof(name))) {
			const size_t call = as->slot[find_slot(as, abi, name)];

			if (call > 0 && !as->rule[call - 1])
				as->rule[call - 1] = rule;
		}
	}
}

static void add_span(struct assembly *as, uint32_t first, int answer)
{
	if (as->spans > 0 && as->span[as->spans - 1].answer == answer)
		return;
	as->span[as->spans++] = (struct span){ first, answer };
}

/* Fills in the spans of one ABI: all numbers from 0 on, whatever has no name is ENOSYS. */
static int make_spans(struct assembly *as, const struct seccomp_abi *abi, struct err *err)
{
	uint32_t next = 0;

	if (abi->n > SECCOMP_CALLS_MAX)
		return err_set(err, E2BIG, "%zu calls", abi->n);
	find_rules(as, abi);
	as->spans = 0;
	for (size_t i = 0; i < abi->n; i++) {
		const struct seccomp_call *call = &abi->call[i];
		const struct seccomp_rule *rule = as->rule[i];
		int answer = rule ? answer_of(as->set, rule) : ENOSYS, r = 0;

		if (i > 0 && call->nr < next)
			return err_set(err, EINVAL, "'%s' is number %u, behind %u",
			               call->name, call->nr, call[-1].nr);
		if (rule && rule->mask)
			r = find_tail(as, call->name, &answer, err);
		if (r < 0)
			return r;
		if (call->nr > next)
			add_span(as, next, ENOSYS);
		add_span(as, call->nr, answer);
		next = call->nr + 1;
	}
	add_span(as, next, ENOSYS);
	return 0;
}

/* A search among the spans from @low to below @high; takes where it begins. */
static int put_search(struct assembly *as, size_t low, size_t high, size_t *ret,
                      struct err *err)
{
	size_t middle = low + (high - low) / 2, below, above;
	int r;

	if (high - low == 1) {
		int answer = as->span[low].answer;

		if (answer >= 0)
			return reach_answer(as->prog, answer, ret, err);
		*ret = as->tail[TAIL(answer)].at;
		return reach(as->prog, ret, err);
	}
	r = put_search(as, middle, high, &above, err);
	if (r == 0)
		r = put_search(as, low, middle, &below, err);
	if (r == 0)
		r = put_branch(as->prog, BPF_JGE, as->span[middle].first, above, below,
		               err);
	if (r == 0)
		*ret = as->prog->start;
	return r;
}

/* From the number of a call to its answer; the next instruction goes on there. */
static int put_abi(struct assembly *as, struct err *err)
{
	size_t begin;
	int r = put_search(as, 0, as->spans, &begin, err);

	/* One span alone has no search that begins where we are. */
	if (r == 0 && begin != as->prog->start)
		r = put_plain(as->prog, BPF_JMP | BPF_JA,
		              (uint32_t)(begin - as->prog->start), err);
	if (r == 0)
		r = put_load(as->prog, offsetof(struct seccomp_data, nr), err);
	return r;
}

int seccomp_assemble(const struct seccomp_set *set, const struct seccomp_abi *abi,
                     size_t abis, struct seccomp_program *ret, struct err *err)
{
	struct assembly as = { .set = set, .prog = ret };
	size_t begin[SECCOMP_ABIS_MAX], no;
	int r = 0;

	ret->start = BPF_MAXINSNS;
	/* The native ABI last, so that it stands first, behind the question for the ABI. */
	for (size_t i = abis; i-- > 0 && r == 0;) {
		r = make_spans(&as, &abi[i], err);
		if (r == 0)
			r = put_abi(&as, err);
		begin[i] = ret->start;
	}
	if (r == 0)
		r = reach_answer(ret, ENOSYS, &no, err);
	for (size_t i = abis; i-- > 0 && r == 0;) {
		r = put_branch(ret, BPF_JEQ, abi[i].arch, begin[i], no, err);
		no = ret->start;
	}
	return r < 0 ? r : put_load(ret, offsetof(struct seccomp_data, arch), err);
}
