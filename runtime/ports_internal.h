#ifndef PORTS_INTERNAL_H
#define PORTS_INTERNAL_H

#include "ports.h"

/* What the parts of published ports share: those asked for, their changes, and -p auto. */

/* The relay answers in microseconds, or something is very wrong. */
#define PORTS_ANSWER_MS 5000

/* "tcp" or "udp". */
const char *ports_protocol(const struct publish *publish);

/* Opens one port and puts it at the end of the list. Return: as ports_open(). */
int ports_open_one(struct ports *ports, const struct publish *one, bool automatic,
                   struct err *err);

/* Closes what the relay does not have yet, from the end of the list down to @keep. */
void ports_shut(struct ports *ports, size_t keep);

/*
 * ports_queue.c: a port is to be the relay's: .asked_ms is set until it serves it, .fd until it was
 * told. Return: 0; -ESRCH where there is none.
 */
int ports_hand_over(struct ports *ports, struct open_port *port, struct err *err);

/* Out of the list. Return: the id that the relay will answer; 0 where it never heard of it. */
uint32_t ports_withdraw(struct ports *ports, size_t at);

/* Tells the relay as much as it has room for; the rest is told when it has. */
void ports_flush(struct ports *ports);

/* Whether one more port can be opened, and be withdrawn. */
bool ports_have_room(const struct ports *ports);

/* The relay did @id. */
void ports_done(struct ports *ports, uint32_t id);

/* ports_change.c: the relay did @id; it is gone; nobody waits any longer. */
void ports_change_done(struct ports *ports, uint32_t id);
void ports_change_lost(struct ports *ports);
void ports_change_stop(struct ports *ports);

/* Begins to look who listens inside. Return: 0 or -errno. */
int ports_follow_start(struct ports *ports, struct err *err);

/* No longer; what it opened stays. */
void ports_follow_stop(struct ports *ports);

/* Closes what -p auto opened. Return: what the relay will answer last; 0 for nothing. */
uint32_t ports_follow_clear(struct ports *ports);

#endif
