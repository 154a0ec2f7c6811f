/*
 * The courier brings descriptors to the other shards of the node: small notes with at most
 * one descriptor each, over Unix datagram sockets whose names are made of what the run
 * directory is (no two gateways of a machine have one) and of the slot.  A note from another
 * user than ours is dropped.
 */
#ifndef SHARDD_APE_COURIER_H
#define SHARDD_APE_COURIER_H

#include <stddef.h>
#include <stdint.h>

#define COURIER_TEXT	256

enum courier_kind {
	COURIER_ASK_LINK = 1,	/* text: name, cookie, header; answered */
	COURIER_ASK_SHARE,	/* text: id; answered */
	COURIER_ANSWER,		/* with a descriptor, or not: there is none */
	COURIER_PART,		/* a part of the call that has this token */
	COURIER_NKINDS
};

struct courier_note {
	uint32_t	 kind;
	uint32_t	 from;		/* slot */
	uint64_t	 token;		/* whose is the answer, or the part */
	uint32_t	 len;
	char		 text[COURIER_TEXT];
};

/* A note came; fd (or -1) is the callee's. */
typedef void	courier_cb(const struct courier_note *n, int fd);

/* Listen, with a callback for each kind.  0, or -1 with errno. */
int	 courier_open(courier_cb *const cbs[COURIER_NKINDS]);
/*
 * Bring a note to the shard of that slot, which may be ours; n->from is set here.  fd is
 * borrowed; -1: none.  One that cannot be brought within a second is dropped.  0, or -1:
 * there is no such shard.
 */
int	 courier_send(unsigned slot, struct courier_note *n, int fd);
/* Two letters for a slot, and the slot of a text that begins with them, or -1. */
void	 courier_name(char dst[2], unsigned slot);
int	 courier_slot(const char *text, size_t len);

#endif
