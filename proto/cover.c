/* What a shard writes of its open connections into its page. */
#include <sys/mman.h>
#include <sys/stat.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/map.h"
#include "proto/capsule.h"
#include "proto/cover.h"
#include "proto/cover_room.h"
#include "proto/page.h"

_Static_assert(sizeof(struct cover_head) == COVER_CELL_AT - COVER_AT,
    "layout");
_Static_assert(COVER_CELL_AT + sizeof(struct cover_cell) <= COVER_SLOTS_AT,
    "layout");
_Static_assert(sizeof(struct cover_slot) == 32, "layout");
_Static_assert(COVER_AT == PAGE_BYTES, "layout");

#define COVER_SENT_AT	(COVER_SLOTS_AT + COVER_SLOTS_MAX * \
			    sizeof(struct cover_slot))
#define COVER_ROOM_AT	(COVER_SENT_AT + (COVER_SLOTS_MAX + 2) * \
			    sizeof(uint32_t))	/* a multiple of 8 */

struct cover_label {			/* of a route: written once */
	struct map_node	 by_text;
	uint32_t	 unit;
	char		 text[];
};

static struct cover_cell	 cover_unread;
struct cover_cell		*cover_cell = &cover_unread;
static uint32_t			 cover_nobody;
uint32_t			*cover_sent = &cover_nobody;

static struct cover_head	*cover_head;	/* NULL: not begun */
static struct cover_slot	*cover_slots;	/* [0] is slot 1 */
static uint32_t			 cover_free;	/* its first, linked by who; 0 */
static struct cover_room	 cover_room;
static struct map		 cover_labels;

int
cover_begin(int fd)
{
	struct stat	 st;
	char		*map;

	if (fstat(fd, &st) == -1)
		return (-1);
	map = mmap(NULL, PAGE_MAX, PROT_READ | PROT_WRITE, MAP_SHARED |
	    MAP_NORESERVE, fd, 0);
	if (map == MAP_FAILED)
		return (-1);
	cover_room_init(&cover_room, fd, map, COVER_ROOM_AT,
	    (uint64_t)st.st_size, PAGE_MAX);
	if (cover_room_grow(&cover_room, COVER_ROOM_AT) == -1) {
		munmap(map, PAGE_MAX);
		return (-1);
	}
	cover_head = (struct cover_head *)(void *)(map + COVER_AT);
	cover_slots = (struct cover_slot *)(void *)(map + COVER_SLOTS_AT);
	cover_cell = (struct cover_cell *)(void *)(map + COVER_CELL_AT);
	cover_sent = (uint32_t *)(void *)(map + COVER_SENT_AT);
	*cover_head = (struct cover_head){
		.slot_size = sizeof(struct cover_slot),
		.slots_at = COVER_SLOTS_AT, .room_at = COVER_ROOM_AT,
		.cell_size = sizeof(struct cover_cell),
		.written_at = COVER_SENT_AT,
	};
	return (0);
}

/* ---- blocks ---- */

/* A block of these bytes, or 0: no memory. */
static uint32_t
cover_block(struct slice s)
{
	uint32_t	 unit;

	if (s.len > UINT32_MAX / 2 ||
	    (unit = cover_room_get(&cover_room, (uint32_t)s.len)) == 0) {
		errno = ENOMEM;
		return (0);
	}
	if (s.len > 0)
		memcpy(cover_room_bytes(&cover_room, unit), s.data, s.len);
	return (unit);
}

/* Put n at *to, and what is copied from s behind it; returns what follows. */
static char *
cover_put(char *to, struct slice s)
{
	if (s.len > 0)
		memcpy(to, s.data, s.len);
	return (to + s.len);
}

uint32_t
cover_place(struct slice app, struct slice group)
{
	uint16_t	 n = (uint16_t)app.len;
	uint32_t	 unit;
	char		*at;

	if (cover_head == NULL)
		return (0);
	unit = cover_room_get(&cover_room, (uint32_t)(sizeof(n) + app.len +
	    group.len));
	if (unit == 0)
		return (0);
	at = cover_put(cover_room_bytes(&cover_room, unit), slice_of(&n,
	    sizeof(n)));
	cover_put(cover_put(at, app), group);
	return (unit);
}

void
cover_place_free(uint32_t place)
{
	if (cover_head != NULL)
		cover_room_put(&cover_room, place);
}

/* The block of a route's label, which is kept for good: there are few.  0: no memory. */
static uint32_t
cover_label(struct slice text)
{
	struct map_node		*n = map_find(&cover_labels, text.data,
				    text.len);
	struct cover_label	*l;

	if (n != NULL)
		return (container_of(n, struct cover_label, by_text)->unit);
	if ((l = malloc(sizeof(*l) + text.len)) == NULL)
		return (0);
	if (text.len > 0)
		memcpy(l->text, text.data, text.len);
	if ((l->unit = cover_block(text)) == 0 || map_insert(&cover_labels,
	    &l->by_text, l->text, text.len) == -1) {
		cover_room_put(&cover_room, l->unit);
		free(l);
		return (0);
	}
	return (l->unit);
}

/* A text, terminated; returns what follows. */
static char *
cover_text(char *to, struct slice s)
{
	to = cover_put(to, s);
	*to = '\0';
	return (to + 1);
}

/* The block of what cover_who() gave, or 0: it is not in the page. */
static uint32_t
cover_who_unit(const char *who)
{
	if (cover_head == NULL || who == NULL)
		return (0);
	return (cover_room_unit(&cover_room, who - sizeof(uint16_t)));
}

/* Bytes of what a record says of its client, with the length of the uid. */
static size_t
cover_who_len(const struct capsule *cap)
{
	size_t	 n = sizeof(uint16_t) + cap->uid.len + cap->peer.len +
		    cap->via.len + 3;

	for (size_t i = 0; i < cap->nheaders; i++)
		n += cap->headers[i].name.len + cap->headers[i].value.len + 2;
	return (n);
}

char *
cover_who(const struct capsule *cap)
{
	const uint16_t	 uid = (uint16_t)cap->uid.len;
	const size_t	 n = cover_who_len(cap);
	uint32_t	 unit = 0;
	char		*who, *at;

	if (cover_head != NULL && n <= UINT32_MAX / 2)
		unit = cover_room_get(&cover_room, (uint32_t)n);
	if ((at = unit != 0 ? cover_room_bytes(&cover_room, unit) :
	    malloc(n)) == NULL)
		return (NULL);
	who = at = cover_put(at, slice_of(&uid, sizeof(uid)));
	at = cover_text(at, cap->uid);
	at = cover_text(at, cap->peer);
	at = cover_text(at, cap->via);
	for (size_t i = 0; i < cap->nheaders; i++) {
		at = cover_text(at, cap->headers[i].name);
		at = cover_text(at, cap->headers[i].value);
	}
	return (who);
}

void
cover_who_free(char *who)
{
	uint32_t	 unit = cover_who_unit(who);

	if (unit != 0)
		cover_room_put(&cover_room, unit);
	else if (who != NULL)
		free(who - sizeof(uint16_t));
}

/* The block of a slot's own, or 0: no room. */
static uint32_t
cover_who_own(const struct capsule *cap)
{
	char		*who = cover_who(cap);
	uint32_t	 unit = cover_who_unit(who);

	if (unit == 0)
		cover_who_free(who);
	return (unit);
}

/* ---- slots ---- */

static struct cover_slot *
cover_slot(uint32_t slot)
{
	return (&cover_slots[slot - 1]);
}

/* Another slot, all 0; 0: there are no more. */
static uint32_t
cover_slot_new(void)
{
	uint32_t	 slot = cover_free;

	if (slot != 0)
		cover_free = cover_slot(slot)->who;
	else if (cover_head->nslots < COVER_SLOTS_MAX)
		slot = ++cover_head->nslots;
	else
		return (0);
	memset(cover_slot(slot), 0, sizeof(struct cover_slot));
	return (slot);
}

/* Give back slot, whose id is 0. */
static void
cover_slot_free(uint32_t slot)
{
	cover_slot(slot)->who = cover_free;
	cover_free = slot;
}

uint32_t
cover_add(const struct capsule *cap, const char *who, uint32_t place,
    unsigned bits, uint32_t written)
{
	struct cover_slot	*s;
	uint32_t		 slot;

	if (cover_head == NULL || place == 0 || !capsule_fits(cap) ||
	    (slot = cover_slot_new()) == 0)
		return (0);
	s = cover_slot(slot);
	s->place = place;
	s->protocol = (uint8_t)cap->protocol;
	s->deflate = (uint8_t)cap->deflate;
	s->flags = (uint8_t)cap->flags;
	s->nheaders = (uint8_t)cap->nheaders;
	s->hops = (uint8_t)(cap->hops > UINT8_MAX ? UINT8_MAX : cap->hops);
	s->strikes = (uint8_t)cap->strikes;
	s->bits = (uint8_t)bits;
	cover_sent[slot] = written;
	s->owns = who == NULL;
	s->who = s->owns ? cover_who_own(cap) : cover_who_unit(who);
	if ((s->label = cover_label(cap->route)) == 0 || s->who == 0 ||
	    (cap->topics.len > 0 && cover_topics(slot, cap->topics) == -1) ||
	    (cap->state.len > 0 && cover_state(slot, cap->state) == -1)) {
		cover_remove(slot);
		return (0);
	}
	atomic_signal_fence(memory_order_seq_cst);
	s->id = cap->id;
	return (slot);
}

/* Its extra, made if need be; NULL without memory. */
static struct cover_extra *
cover_extra(struct cover_slot *s)
{
	static const struct cover_extra	 none;
	uint32_t			 unit = s->extra;

	if (unit == 0) {
		unit = cover_block(slice_of(&none, sizeof(none)));
		atomic_signal_fence(memory_order_seq_cst);
		s->extra = unit;
	}
	return (unit == 0 ? NULL : (struct cover_extra *)(void *)
	    cover_room_bytes(&cover_room, unit));
}

void
cover_remove(uint32_t slot)
{
	struct cover_slot	*s;
	struct cover_extra	*x;

	if (slot == 0)
		return;
	s = cover_slot(slot);
	s->id = 0;
	atomic_signal_fence(memory_order_seq_cst);
	if (s->owns)
		cover_room_put(&cover_room, s->who);
	if (s->extra != 0) {
		x = cover_extra(s);
		cover_room_put(&cover_room, x->topics);
		cover_room_put(&cover_room, x->state);
		cover_room_put(&cover_room, x->kept[0]);
		cover_room_put(&cover_room, x->kept[1]);
		cover_room_put(&cover_room, s->extra);
	}
	cover_slot_free(slot);
}

void
cover_bits(uint32_t slot, unsigned bits, int on)
{
	struct cover_slot	*s;

	if (slot == 0)
		return;
	s = cover_slot(slot);
	s->bits = (uint8_t)(on ? s->bits | bits : s->bits & ~bits);
}

void
cover_strikes(uint32_t slot, uint8_t n)
{
	if (slot != 0)
		cover_slot(slot)->strikes = n;
}

/* A block of these bytes in place of that at *unit; none if there are none.  0 or -1. */
static int
cover_replace(uint32_t *unit, struct slice s)
{
	uint32_t	 old = *unit, block = 0;

	if (s.len > 0 && (block = cover_block(s)) == 0)
		return (-1);
	atomic_signal_fence(memory_order_seq_cst);
	*unit = block;
	atomic_signal_fence(memory_order_seq_cst);
	cover_room_put(&cover_room, old);
	return (0);
}

int
cover_topics(uint32_t slot, struct slice topics)
{
	struct cover_extra	*x;

	if (slot == 0 || (topics.len == 0 && cover_slot(slot)->extra == 0))
		return (0);
	x = cover_extra(cover_slot(slot));
	return (x == NULL ? -1 : cover_replace(&x->topics, topics));
}

int
cover_state(uint32_t slot, struct slice state)
{
	struct cover_extra	*x;

	if (slot == 0 || (state.len == 0 && cover_slot(slot)->extra == 0))
		return (0);
	x = cover_extra(cover_slot(slot));
	return (x == NULL ? -1 : cover_replace(&x->state, state));
}

int
cover_checkpoint(uint32_t slot, struct slice data, uint32_t version)
{
	struct cover_extra	*x;
	uint32_t		 other;

	if (slot == 0 || (data.len == 0 && cover_slot(slot)->extra == 0))
		return (0);
	if ((x = cover_extra(cover_slot(slot))) == NULL)
		return (-1);
	other = (x->which & 1) ^ 1;
	x->version = version;
	if (cover_replace(&x->kept[other], data) == -1)
		return (-1);
	atomic_signal_fence(memory_order_seq_cst);
	x->which = other;
	return (0);
}

struct slice
cover_kept(uint32_t slot)
{
	const struct cover_extra	*x;
	uint32_t			 unit;

	if (slot == 0 || cover_slot(slot)->extra == 0)
		return (slice_of(NULL, 0));
	x = cover_extra(cover_slot(slot));
	if ((unit = x->kept[x->which & 1]) == 0)
		return (slice_of(NULL, 0));
	return (slice_of(cover_room_bytes(&cover_room, unit),
	    cover_room_len(&cover_room, unit)));
}
