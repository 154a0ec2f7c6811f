/* What the page of a dead shard says of its connections. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/cover.h"
#include "proto/cover_look.h"
#include "proto/page.h"

#define LOOK_CHUNK	(64 << 10)	/* bytes read at once */
#define LOOK_SLOT_MAX	256		/* bytes of a later version's slot */
#define LOOK_WHO_MAX	(4 << 20)	/* bytes of who a client is */
#define LOOK_TEXT_MAX	4096		/* of a group, a label */
#define LOOK_LONG_MAX	(16 << 20)	/* of topics, of a protocol's state */

enum { LOOK_WHO, LOOK_PLACE, LOOK_LABEL, LOOK_TOPICS, LOOK_STATE, LOOK_KEPT,
    LOOK_NBLOCKS };

struct look_slot {
	struct cover_slot slot;
	uint32_t	 number;
	uint32_t	 writing;	/* of the cell's; COVER_WRITES: none */
};

struct cover_look {
	int		 fd;
	uint64_t	 room_at;
	uint32_t	 written_at;
	struct look_slot *slots;	/* in the order of their ids */
	size_t		 n;
	struct cover_cell cell;
	char		*window;	/* LOOK_CHUNK bytes of the page */
	uint64_t	 window_at;
	size_t		 window_len;
	struct buf	 blocks[LOOK_NBLOCKS];
};

/* ---- the slots ---- */

static int
look_bad(void)
{
	errno = EPROTO;
	return (-1);
}

/* Exactly len bytes at that offset: 0, or -1 with errno. */
static int
look_pread(int fd, void *to, size_t len, uint64_t at)
{
	ssize_t	 n = at > INT64_MAX / 2 ? 0 : pread(fd, to, len, (off_t)at);

	if (n == -1)
		return (-1);
	return ((size_t)n == len ? 0 : look_bad());
}

/* Which of the cell's writes is that of slot number i?  COVER_WRITES: none. */
static uint32_t
look_writing(const struct cover_look *l, uint32_t i)
{
	uint32_t	 n = l->cell.nwriting;

	for (uint32_t k = 0; k < n && k < COVER_WRITES; k++)
		if (l->cell.writing[k] == i)
			return (k);
	return (COVER_WRITES);
}

/* How the shard has left slot number i, by these bits of it. */
static enum cover_rest
look_rest(const struct cover_look *l, unsigned bits, uint32_t i)
{
	if (bits & COVER_B_OUT)
		return (COVER_AMID_OUT);
	if ((bits & COVER_B_IN) || (l->cell.reading == i && l->cell.amid))
		return (COVER_AMID_IN);
	if (bits & COVER_B_GOING)
		return (COVER_GOING);
	return (l->cell.reading == i ? COVER_AT_WORK : COVER_AT_REST);
}

/* One slot, of size bytes: it is looked at later, if it is used.  0, or -1. */
static int
look_add(struct cover_look *l, const char *data, size_t size, uint32_t i)
{
	struct cover_slot	 slot = { 0 };
	struct look_slot	*more;

	memcpy(&slot, data, size < sizeof(slot) ? size : sizeof(slot));
	if (slot.id == 0)
		return (0);
	/* Twice as many whenever it is a power of two. */
	if ((l->n & (l->n - 1)) == 0) {
		more = realloc(l->slots, (l->n == 0 ? 1 : l->n * 2) *
		    sizeof(*more));
		if (more == NULL)
			return (-1);
		l->slots = more;
	}
	l->slots[l->n++] = (struct look_slot){ .slot = slot, .number = i,
	    .writing = look_writing(l, i) };
	return (0);
}

/* All slots that are used.  0, or -1 with errno. */
static int
look_slots(struct cover_look *l, const struct cover_head *h)
{
	size_t		 each = LOOK_CHUNK / h->slot_size, n;
	uint32_t	 i = 0;

	while (i < h->nslots) {
		n = h->nslots - i < each ? h->nslots - i : each;
		if (look_pread(l->fd, l->window, n * h->slot_size,
		    h->slots_at + (uint64_t)i * h->slot_size) == -1)
			return (-1);
		for (size_t k = 0; k < n; k++)
			if (look_add(l, l->window + k * h->slot_size,
			    h->slot_size, ++i) == -1)
				return (-1);
	}
	return (0);
}

static int
look_compare(const void *a, const void *b)
{
	const struct look_slot	*x = a, *y = b;

	if (x->slot.id != y->slot.id)
		return (x->slot.id < y->slot.id ? -1 : 1);
	return (x->number < y->number ? -1 : x->number > y->number);
}

/* The heads of the page, and the slots.  0, or -1 with errno. */
static int
look_read(struct cover_look *l, uint64_t incarnation)
{
	struct page_work	 work;
	struct page_head	 page;
	struct cover_head	 h;
	const size_t		 least = offsetof(struct cover_cell, length);

	if (page_check(l->fd) == -1 || page_read(l->fd, incarnation, &work) ==
	    -1 || look_pread(l->fd, &page, sizeof(page), 0) == -1)
		return (-1);
	if (page.version < PAGE_COVERS)
		return (look_bad());
	if (look_pread(l->fd, &h, sizeof(h), COVER_AT) == -1)
		return (-1);
	if (h.nslots > COVER_SLOTS_MAX || h.slot_size < sizeof(uint64_t) ||
	    h.slot_size > LOOK_SLOT_MAX || h.cell_size < least ||
	    h.slots_at > PAGE_MAX || h.room_at > PAGE_MAX ||
	    h.written_at > PAGE_MAX)
		return (look_bad());
	l->room_at = h.room_at;
	/* An older shard's has no lengths. */
	if (h.cell_size >= sizeof(l->cell))
		l->written_at = h.written_at;
	if (look_pread(l->fd, &l->cell, l->written_at != 0 ? sizeof(l->cell) :
	    least, COVER_CELL_AT) == -1 || look_slots(l, &h) == -1)
		return (-1);
	if (l->n > 0)
		qsort(l->slots, l->n, sizeof(l->slots[0]), look_compare);
	return (0);
}

struct cover_look *
cover_look_new(int fd, uint64_t incarnation)
{
	struct cover_look	*l;
	int			 keep;

	if ((l = calloc(1, sizeof(*l))) == NULL)
		return (NULL);
	l->fd = fd;
	if ((l->window = malloc(LOOK_CHUNK)) != NULL &&
	    look_read(l, incarnation) == 0)
		return (l);
	keep = errno;
	cover_look_free(l);
	errno = keep;
	return (NULL);
}

void
cover_look_free(struct cover_look *l)
{
	if (l == NULL)
		return;
	for (size_t i = 0; i < LOOK_NBLOCKS; i++)
		buf_clear(&l->blocks[i]);
	free(l->slots);
	free(l->window);
	free(l);
}

/* ---- the blocks ---- */

/* These bytes of the page, by way of the window if they fit.  0, or -1. */
static int
look_get(struct cover_look *l, void *to, size_t len, uint64_t at)
{
	ssize_t	 n;

	if (len > LOOK_CHUNK / 2)
		return (look_pread(l->fd, to, len, at));
	if (at < l->window_at || at + len > l->window_at + l->window_len) {
		l->window_len = 0;
		n = pread(l->fd, l->window, LOOK_CHUNK, (off_t)at);
		if (n == -1)
			return (-1);
		l->window_at = at;
		l->window_len = (size_t)n;
	}
	if (len > l->window_len || at + len > l->window_at + l->window_len)
		return (look_bad());
	memcpy(to, l->window + (at - l->window_at), len);
	return (0);
}

/* The block of that unit as number `which` of l's; 0 is an empty one.  0, or -1. */
static int
look_block(struct cover_look *l, unsigned which, uint32_t unit, size_t max)
{
	struct buf	*b = &l->blocks[which];
	uint64_t	 at = l->room_at + (uint64_t)unit * COVER_UNIT;
	uint32_t	 len;
	char		*to;

	buf_reset(b);
	if (unit == 0)
		return (0);
	if (look_get(l, &len, sizeof(len), at) == -1)
		return (-1);
	if (len > max)
		return (look_bad());
	if (len == 0)
		return (0);
	if ((to = buf_reserve(b, len)) == NULL)
		return (-1);
	if (look_get(l, to, len, at + sizeof(len)) == -1)
		return (-1);
	b->len = len;
	return (0);
}

/* Such a block, whole. */
static struct slice
look_slice(const struct cover_look *l, unsigned which)
{
	return (slice_of(l->blocks[which].data, l->blocks[which].len));
}

/* Take n bytes from the front of *s.  0, or -1: there are not so many. */
static int
look_take(struct slice *s, size_t n, struct slice *out)
{
	if (n > s->len)
		return (look_bad());
	*out = slice_of(s->data, n);
	*s = slice_of(s->data + n, s->len - n);
	return (0);
}

/* The length with which a block begins, and so many bytes behind it. */
static int
look_counted(struct slice *s, struct slice *out)
{
	struct slice	 head;
	uint16_t	 n;

	if (look_take(s, sizeof(n), &head) == -1)
		return (-1);
	memcpy(&n, head.data, sizeof(n));
	return (look_take(s, n, out));
}

/* A terminated text. */
static int
look_text(struct slice *s, struct slice *out)
{
	const char	*end = s->len == 0 ? NULL : memchr(s->data, '\0', s->len);
	struct slice	 stop;

	if (end == NULL)
		return (look_bad());
	return (look_take(s, (size_t)(end - s->data), out) == -1 ||
	    look_take(s, 1, &stop) == -1 ? -1 : 0);
}

/* Who the client is. */
static int
look_who(struct cover_look *l, const struct cover_slot *s, struct capsule *cap)
{
	struct slice	 in, stop;

	if (look_block(l, LOOK_WHO, s->who, LOOK_WHO_MAX) == -1)
		return (-1);
	in = look_slice(l, LOOK_WHO);
	if (s->nheaders > CAPSULE_HEADERS_MAX ||
	    look_counted(&in, &cap->uid) == -1 ||
	    look_take(&in, 1, &stop) == -1 ||
	    look_text(&in, &cap->peer) == -1 || look_text(&in, &cap->via) == -1)
		return (look_bad());
	for (cap->nheaders = 0; cap->nheaders < s->nheaders; cap->nheaders++)
		if (look_text(&in, &cap->headers[cap->nheaders].name) == -1 ||
		    look_text(&in, &cap->headers[cap->nheaders].value) == -1)
			return (-1);
	return (0);
}

/* What few have. */
static int
look_extra(struct cover_look *l, uint32_t unit, struct capsule *cap)
{
	struct cover_extra	 x;
	uint64_t		 at = l->room_at + (uint64_t)unit * COVER_UNIT;

	if (unit == 0)
		return (0);
	if (look_get(l, &x, sizeof(x), at + sizeof(uint32_t)) == -1 ||
	    look_block(l, LOOK_TOPICS, x.topics, LOOK_LONG_MAX) == -1 ||
	    look_block(l, LOOK_STATE, x.state, LOOK_LONG_MAX) == -1 ||
	    look_block(l, LOOK_KEPT, x.kept[x.which & 1], CAPSULE_KEPT_MAX) == -1)
		return (-1);
	cap->topics = look_slice(l, LOOK_TOPICS);
	cap->state = look_slice(l, LOOK_STATE);
	cap->blob = look_slice(l, LOOK_KEPT);
	cap->blob_version = x.version;
	return (0);
}

/* What is said of a connection, as a record.  0, or -1 with errno. */
static int
look_capsule(struct cover_look *l, const struct cover_slot *s,
    struct capsule *cap)
{
	struct slice	 place;

	cap->id = s->id;
	cap->protocol = (enum capsule_protocol)s->protocol;
	cap->flags = s->flags;
	cap->deflate = s->deflate;
	cap->hops = s->hops;
	cap->strikes = s->strikes;
	if (look_who(l, s, cap) == -1 ||
	    look_block(l, LOOK_PLACE, s->place, LOOK_TEXT_MAX) == -1 ||
	    look_block(l, LOOK_LABEL, s->label, LOOK_TEXT_MAX) == -1 ||
	    look_extra(l, s->extra, cap) == -1)
		return (-1);
	cap->route = look_slice(l, LOOK_LABEL);
	place = look_slice(l, LOOK_PLACE);
	if (look_counted(&place, &cap->app) == -1)
		return (-1);
	cap->group = place;
	return (cap->protocol != CAPSULE_HTTP && capsule_fits(cap) ? 0 :
	    look_bad());
}

/* ---- how it was left ---- */

/* Of a slot that the cell says is written to.  0, or -1 with errno. */
static int
look_amid(const struct cover_look *l, const struct look_slot *s,
    struct covered *c)
{
	unsigned	 bits = s->slot.bits;

	if (l->written_at == 0 || (bits & COVER_B_BLIND))
		return (0);
	if (look_pread(l->fd, &c->before, sizeof(c->before), l->written_at +
	    (uint64_t)s->number * sizeof(c->before)) == -1)
		return (-1);
	c->rest = COVER_WRITING;
	c->length = l->cell.length[s->writing];
	c->none = look_rest(l, bits, s->number);
	c->whole = look_rest(l, bits & ~(unsigned)COVER_B_OUT, s->number);
	return (0);
}

enum cover_rest
covered_written(const struct covered *c, int known, uint32_t written)
{
	uint32_t	 n = written - c->before;

	if (c->rest != COVER_WRITING)
		return (c->rest);
	if (!known)
		return (COVER_AMID_OUT);
	if (n == 0)
		return (c->none);
	return (n == c->length ? c->whole : COVER_AMID_OUT);
}

/* ---- who is there ---- */

size_t
cover_look_count(const struct cover_look *l)
{
	return (l->n);
}

int
cover_look_at(struct cover_look *l, size_t i, struct covered *c)
{
	const struct look_slot	*s = &l->slots[i];

	memset(c, 0, sizeof(*c));
	if (i >= l->n) {
		errno = ENOENT;
		return (-1);
	}
	c->id = s->slot.id;
	c->rest = COVER_AMID_OUT;
	if (s->writing == COVER_WRITES)
		c->rest = look_rest(l, s->slot.bits, s->number);
	else if (look_amid(l, s, c) == -1)
		return (-1);
	return (look_capsule(l, &s->slot, &c->cap));
}

int
cover_look_find(struct cover_look *l, uint64_t id, struct covered *c)
{
	size_t	 low = 0, high = l->n, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (l->slots[mid].slot.id < id)
			low = mid + 1;
		else
			high = mid;
	}
	return (cover_look_at(l, low < l->n && l->slots[low].slot.id == id ?
	    low : l->n, c));
}
