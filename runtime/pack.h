#ifndef PACK_H
#define PACK_H

#include "base/arena.h"
#include "base/err.h"
#include "netns/gateway.h"
#include "netns/pasta.h"
#include "netns/relay.h"
#include "plan.h"

/**
 * struct packed_step - A step, and what became of it
 * @step:	as planned
 * @given_up:	optional, and it failed at the launch, which said so
 */
struct packed_step {
	struct step step;
	bool given_up;
};

/**
 * struct packed_plan - A plan that another process applied
 * @step, @n:	its steps
 * @net:	NET_AUTO resolved
 * @gateway:	with the rates of now
 * @relay:	its configuration
 * @pasta:	addresses, with NET_PASTA
 */
struct packed_plan {
	const struct packed_step *step;
	size_t n;
	enum net_mode net;
	struct gateway gateway;
	struct relay_config relay;
	struct pasta pasta;
};

/**
 * plan_pack() - Put a plan that was applied into memory that can be handed on
 * @plan:	the plan
 * @gateway:	as it is now
 * @unenforced:	bit i: limit i of the plan could not be written
 * @err:	filled in on failure
 *
 * Return: a descriptor, owned by the caller, that nobody can write to any more; -errno.
 */
int plan_pack(const struct plan *plan, const struct gateway *gateway, uint64_t unenforced,
              struct err *err);

/**
 * plan_unpack() - Read it again
 * @fd:		from plan_pack() of the same berth
 * @arena:	owns the result
 * @ret:	set on success only
 * @err:	filled in on failure
 *
 * Return: 0; -EPROTO where it is of another berth, or no plan; -ENOMEM; -errno.
 */
int plan_unpack(int fd, struct arena *arena, struct packed_plan *ret, struct err *err);

#endif
