/*
 * What nodes of a network say: the first byte is the type of the frame, a second one how
 * many bytes of cells follow, and the rest its data.  What is read is written, and
 * reads the same; a network that hears it stays whole.
 */
#include <stdlib.h>

#include "shardd/events/discovery.h"
#include "shardd/events/network.h"
#include "shardd/events/parcel.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const enum fasttcp_type types[] = {
	FASTTCP_NEW_LINK, FASTTCP_DEL_LINK, FASTTCP_JOIN_ROOM,
	FASTTCP_LEAVE_ROOM, FASTTCP_TO_SOCKET, FASTTCP_TO_ROOM,
	FASTTCP_BROADCAST, FASTTCP_PARCEL,
};

static void
said(void *arg, uint64_t link, const struct fasttcp_frame *f)
{
	(void)arg;
	if (link == 0 || fasttcp_head_len(fasttcp_d2, f) == 0)
		abort();
}

static void
delivered(void *arg, const struct letter *l)
{
	(void)arg;
	if (l->event.len > FASTTCP_EVENT_MAX)
		abort();
}

static void
changed(void *arg, struct slice room)
{
	(void)arg;
	if (room.len > ROOM_MAX)
		abort();
}

/* A message: reads the same when it is written again.  Returns whether it is one. */
static int
letter(const struct fasttcp_frame *f)
{
	struct fasttcp_frame	 again = *f;
	struct letter		 a = { 0 }, b = { 0 };
	struct buf		 text = { 0 };
	int			 is = letter_read(&a, f) == 0;

	if (is) {
		letter_write(&text, &a);
		again.data = slice_of(text.data, text.len);
		if (text.failed || letter_read(&b, &again) == -1 ||
		    !slice_eq(a.event, b.event) ||
		    !slice_eq(a.names, b.names) ||
		    !slice_eq(a.except, b.except))
			abort();
	}
	letter_clear(&a);
	letter_clear(&b);
	buf_clear(&text);
	return (is);
}

/* What a network tells of these is passed over. */
static void
parcelled(void *arg, const struct parcel *p)
{
	(void)arg;
	if (p->kind == PARCEL_LETTER || p->kind >= PARCEL_NKINDS)
		abort();
}

static void
gone(void *arg, unsigned host)
{
	(void)arg;
	if (host == 0)
		abort();
}

static void
kennel(void *arg, uint64_t link)
{
	(void)arg, (void)link;
}

/* The same between kennels. */
static int
parcel(struct fasttcp_frame *f)
{
	struct fasttcp_frame	 again;
	struct parcel		 a, b;
	struct buf		 bytes = { 0 };
	int			 is;

	f->data_type = FASTTCP_BINARY;
	again = *f;
	is = parcel_read(&a, f) == 0;
	if (is) {
		parcel_write(&bytes, &a);
		again.data = slice_of(bytes.data, bytes.len);
		if (bytes.failed || parcel_read(&b, &again) == -1 ||
		    a.kind != b.kind || a.hops != b.hops ||
		    a.epoch != b.epoch || a.sequence != b.sequence ||
		    a.number != b.number || a.place != b.place ||
		    a.flags != b.flags || a.wait != b.wait ||
		    a.letter.data_type != b.letter.data_type ||
		    !slice_eq(a.origin, b.origin) ||
		    !slice_eq(a.letter.event, b.letter.event) ||
		    !slice_eq(a.letter.data, b.letter.data) ||
		    !slice_eq(a.letter.names, b.letter.names) ||
		    !slice_eq(a.letter.except, b.letter.except) ||
		    a.letter.whom != b.letter.whom)
			abort();
	}
	buf_clear(&bytes);
	return (is);
}

/* The same of a link or a room. */
static int
discovery(const struct fasttcp_frame *f)
{
	struct fasttcp_frame	 again = *f;
	struct discovery	 a = { 0 }, b = { 0 };
	struct buf		 text = { 0 };
	int			 is = discovery_read(&a, f) == 0;

	if (is) {
		discovery_write(&text, f->type, &a);
		again.data = slice_of(text.data, text.len);
		if (text.failed || discovery_read(&b, &again) == -1 ||
		    !slice_eq(a.source, b.source) ||
		    !slice_eq(a.destination, b.destination) ||
		    !slice_eq(a.link, b.link) || !slice_eq(a.host, b.host) ||
		    !slice_eq(a.room, b.room) || a.kennel != b.kennel ||
		    a.cost != b.cost || a.ref != b.ref)
			abort();
	}
	discovery_clear(&a);
	discovery_clear(&b);
	buf_clear(&text);
	return (is);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct network_ops	 ops = { said, delivered, changed,
	    parcelled, gone, kennel };
	struct fasttcp_frame		 f = { .data_type = FASTTCP_OBJECT };
	struct network			*w;
	int				 is;

	if (size < 2 || size < 2u + data[1])
		return (0);
	f.type = types[data[0] % nitems(types)];
	f.cells = slice_of(data + 2, data[1]);
	f.data = slice_of(data + 2 + data[1], size - 2 - data[1]);
	if (f.type == FASTTCP_PARCEL)
		is = parcel(&f);
	else if (f.type >= FASTTCP_NEW_LINK)
		is = discovery(&f);
	else
		is = letter(&f);
	/* A network takes long to make, and passes over most of the rest. */
	if (!is && size % 16 != 0)
		return (0);
	if ((w = network_new(slice_str("us"), &ops, NULL)) == NULL ||
	    network_up(w, 1, slice_str("a"), slice_str("a/down/1/1"), 1) ==
	    -1 || network_up(w, 2, slice_str("b"), slice_str("b/down/1/1"),
	    2) == -1)
		abort();
	for (int i = 0; i < 2; i++)
		network_frame(w, 1, &f);
	network_down(w, 1);
	network_frame(w, 2, &f);
	network_free(w);
	return (0);
}
