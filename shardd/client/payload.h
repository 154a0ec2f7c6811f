/*
 * Shared counted bytes: one encoded message, for all its receivers.  The
 * WebSocket header stands right before the data, so that both are one run.
 */
#ifndef SHARDD_PAYLOAD_H
#define SHARDD_PAYLOAD_H

#include "common/bytes.h"
#include "proto/ws_frame.h"

struct payload {
	uint32_t	 refs;
	uint8_t		 opcode;	/* WS_TEXT, WS_BINARY, or control */
	uint8_t		 head_len;	/* 0: raw bytes, not a frame (HTTP) */
	uint8_t		 form;		/* of a twin: its window, or FORM_* */
	uint8_t		 stiff:1;	/* does not get smaller */
	uint8_t		 more:1;	/* the message goes on with what follows */
	uint8_t		 told:1;	/* neighbours were told the same (kennel.h) */
	size_t		 len;		/* data */
	struct payload	*twin;		/* in another form, a reference; or NULL */
	struct payload	*of;		/* a plain twin: whose data and references
					   these are; else NULL */
	char		 bytes[];	/* WS_HEAD_MAX, then data */
};

/* How a twin is framed.  8..15: compressed, with a window of so many bits. */
#define FORM_PLAIN	16	/* not at all */
#define FORM_CHUNK	17	/* a chunk of an HTTP response */
#define FORM_EVENT	18	/* a server-sent event */
#define FORM_EVENT_CHUNK 19	/* that, as a chunk */

/* A payload with one reference, the caller's.  NULL with errno ENOMEM. */
struct payload *payload_frame(enum ws_opcode opcode, struct slice data);
struct payload *payload_frame_empty(size_t len);	/* binary, data to be filled */
struct payload *payload_raw(struct slice data);
/*
 * The frame for those with permessage-deflate and a window of these bits: p's
 * twin, compressed once for all of them, or p if that is too short, a control
 * frame, or does not get smaller.  Borrowed from p.
 */
struct payload *payload_deflated(struct payload *p, unsigned bits);
/* p's twin in that form, borrowed from p; or NULL: there is none yet. */
struct payload *payload_twin(const struct payload *p, unsigned form);
/*
 * A message in that form alone, as data has it; opcode: what it may be dropped as.
 * Or p's twin, with a reference of p's.  NULL with errno ENOMEM.
 */
struct payload *payload_formed(unsigned form, enum ws_opcode opcode,
	    struct slice data);
struct payload *payload_add_twin(struct payload *p, unsigned form,
	    struct slice data);
/*
 * The message without a head: p's twin FORM_PLAIN, which has no data of its own, or p
 * if that has no head.  Borrowed from p.  NULL with errno ENOMEM.
 */
struct payload *payload_plain(struct payload *p);
struct payload *payload_ref(struct payload *p);
void	 payload_unref(struct payload *p);

/* The message. */
static inline struct slice
payload_data(const struct payload *p)
{
	return (slice_of((p->of != NULL ? p->of : p)->bytes + WS_HEAD_MAX,
	    p->len));
}

/* Header and message. */
static inline struct slice
payload_wire(const struct payload *p)
{
	struct slice	 s = payload_data(p);

	return (slice_of(s.data - p->head_len, p->head_len + s.len));
}

#endif
