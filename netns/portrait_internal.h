#ifndef NETNS_PORTRAIT_INTERNAL_H
#define NETNS_PORTRAIT_INTERNAL_H

#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <stdint.h>

#include "netns/portrait.h"

/* More than any line of ours; a longer one is compared by as much. */
#define PORTRAIT_LINE_BYTES 2048

/* What a line is made of, while it is. */
struct portrait_sketch {
	unsigned char bytes[PORTRAIT_LINE_BYTES];
	size_t n;
};

/* What each dump needs: the message, the size of its body, and who gets what comes of it. */
struct portrait_question {
	uint16_t type;
	size_t body;
	int (*each)(const struct nlmsghdr *message, void *data);
};

void portrait_put(struct portrait_sketch *sketch, const void *data, size_t n);

/* With its type, and without padding. */
void portrait_put_attr(struct portrait_sketch *sketch, const struct nlattr *attr);

/* A line of what was put together; @text is borrowed. */
void portrait_draw(struct portrait *portrait, enum portrait_part part,
                   const struct portrait_sketch *sketch, const char *text);

/* An attribute behind a body of that size, or NULL. */
const struct nlattr *portrait_find(const struct nlmsghdr *message, size_t body,
                                   uint16_t type);

/* A text that the kernel wrote, or "". */
const char *portrait_text(const struct nlattr *attr);

/* One dump, of all or what @tc names. Return: 0 or -errno. */
int portrait_ask(int sock, const struct portrait_question *question,
                 const struct tcmsg *tc, struct portrait *portrait, struct err *err);

/* portrait_rules.c: what nf_tables has. Return: as portrait_take(). */
int portrait_rules(int sock, struct portrait *portrait, struct err *err);

#endif
