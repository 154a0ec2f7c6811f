/*
 * What a shard's page (page.h) says of its open connections, so that they outlive
 * the shard: which one it reads or writes at the moment, and of each what another
 * shard needs to go on with it.  The shard writes; who has died is read by
 * cover_look.h.
 *
 * It lies behind the first PAGE_BYTES of the page, since version 3 of that:
 *
 *	4096	struct cover_head
 *	4160	struct cover_cell
 *	8192	slots, COVER_SLOTS_MAX of them at most
 *	then	for each slot, 4 bytes: what was written to its client (written.h), but for
 *		what the cell says is being written
 *	then	room: blocks of bytes, a length and so many bytes each, which begin at
 *		a multiple of COVER_UNIT (cover_room.h); slots name them by that number, 0 is none
 *
 * Who its client is a connection has in such a block from the first, whether it is
 * open or not: its slot names what the shard itself reads.
 *
 * An open connection has a slot.  What the shard did with it last is whole unless a
 * bit of its slot or the cell says otherwise: the cell is set before the shard
 * reads or writes, and cleared behind that; the bits are set where the end of a
 * turn leaves something half-done.  So most of what a shard does stores into the
 * cell alone.
 *
 * Whoever dies amid a write does not know how much of it the kernel has taken, and of
 * many at once (flush.c) not even which; the kernel does.  So the cell has how long each
 * write is, and the page what was written before: where all of it went out, or none,
 * nothing is lost that is not lost at rest, too (covered_written()).  What was written is
 * added when the bits say what that has left, for they are right as soon as it is.
 */
#ifndef PROTO_COVER_H
#define PROTO_COVER_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "common/bytes.h"
#include "proto/cover_room.h"

#define COVER_AT	4096
#define COVER_CELL_AT	(COVER_AT + 64)
#define COVER_SLOTS_AT	8192
#define COVER_SLOTS_MAX	(1u << 19)
#define COVER_WRITES	256		/* connections written to at once */

struct cover_head {
	uint32_t	 slot_size;	/* of struct cover_slot, as written */
	uint32_t	 nslots;	/* that were ever used: from 1 on */
	uint64_t	 slots_at;	/* offset of slot 1 */
	uint64_t	 room_at;	/* offset of unit 0 */
	uint32_t	 cell_size;
	uint32_t	 written_at;	/* offset of what was written to slot 0, which is
					   none; or 0: not known */
	uint32_t	 reserved[8];	/* 0 */
};

struct cover_cell {
	uint32_t	 reading;	/* slot whose input is worked on, or 0 */
	uint32_t	 amid;		/* that is more than one whole message, or less */
	uint32_t	 nwriting;
	uint32_t	 writing[COVER_WRITES];	/* slots that are written to */
	uint32_t	 reserved[5];
	uint64_t	 length[COVER_WRITES];	/* of what is written: bytes that end
					   with a whole message; 0: not so, or not told */
};

#define COVER_B_IN	0x1	/* a part of what was read is kept */
#define COVER_B_OUT	0x2	/* a part of a message is written */
#define COVER_B_GOING	0x4	/* packed for another shard */
#define COVER_B_BLIND	0x8	/* what was written to it is not known */

struct cover_slot {
	uint64_t	 id;		/* 0: not used; written last */
	uint32_t	 who;		/* u16 length of the uid, then uid, peer, via,
					   names and values of headers, all terminated */
	uint32_t	 place;		/* u16 length of the application's name, the name,
					   then the group, which may be empty */
	uint32_t	 label;		/* of its route */
	uint32_t	 extra;		/* struct cover_extra, or 0 */
	uint8_t		 protocol;	/* enum capsule_protocol */
	uint8_t		 deflate;	/* bits of the window; 0: not agreed on */
	uint8_t		 flags;		/* CAPSULE_F_* */
	uint8_t		 nheaders;
	uint8_t		 hops;		/* how often it has moved */
	uint8_t		 strikes;	/* shards in a row that died amid its input */
	uint8_t		 bits;		/* COVER_B_* */
	uint8_t		 owns;		/* who is the slot's alone: the shard's own */
};

struct cover_extra {			/* what few connections have */
	uint32_t	 topics;	/* terminated names, or 0 */
	uint32_t	 state;		/* of its protocol, or 0 */
	uint32_t	 kept[2];	/* checkpoints, or 0 */
	uint32_t	 which;		/* of the two is valid */
	uint32_t	 version;	/* of the application's blobs */
};

/* ---- the shard: all of it does nothing until cover_begin() ---- */

struct capsule;

/* The cell of this process: in its page, or memory that nobody reads. */
extern struct cover_cell *cover_cell;
/* What was written to the client of each slot, modulo 2^32; [0] is nobody's. */
extern uint32_t *cover_sent;

/*
 * fd is this process's page, which has grown by what is covered, and is the caller's;
 * it stays open.  0, or -1 with errno.
 */
int	 cover_begin(int fd);
/*
 * Who the client of that record is: the bytes of a slot's who, behind the length of the
 * uid.  In the page, or, where that has no room, in memory.  NULL: no memory.
 */
char	*cover_who(const struct capsule *cap);
void	 cover_who_free(char *who);	/* may be NULL */
/*
 * The connection of that record, of which early, owed and blob are left out, with these
 * bits (COVER_B_*).  who is cover_who()'s of it, or NULL: what that says is not true any
 * more; place is cover_place()'s.  Both are the caller's, and stay as long as the slot
 * lives.  written is written_total()'s of its socket, or anything with COVER_B_BLIND.
 * Its slot, or 0: it is not covered.
 */
uint32_t cover_add(const struct capsule *cap, const char *who, uint32_t place,
	    unsigned bits, uint32_t written);
/* It is not there any more; slot may be 0, here and below. */
void	 cover_remove(uint32_t slot);
/* These bits (COVER_B_*) are set, or not. */
void	 cover_bits(uint32_t slot, unsigned bits, int on);
void	 cover_strikes(uint32_t slot, uint8_t n);
/* What it has subscribed to, and what its protocol goes by, is another now.  0, or -1
 * with errno ENOMEM: it is as it was. */
int	 cover_topics(uint32_t slot, struct slice topics);
int	 cover_state(uint32_t slot, struct slice state);
/* Its application's checkpoint; of these there is always a whole one. */
int	 cover_checkpoint(uint32_t slot, struct slice data, uint32_t version);
/* That checkpoint, until the next of them. */
struct slice cover_kept(uint32_t slot);
/* The block that names an application's group, which may be empty; 0: no memory. */
uint32_t cover_place(struct slice app, struct slice group);
void	 cover_place_free(uint32_t place);

/* Input of this slot is worked on; 0: no more. */
static inline void
cover_reading(uint32_t slot)
{
	atomic_signal_fence(memory_order_seq_cst);
	cover_cell->amid = slot != 0;
	cover_cell->reading = slot;
	atomic_signal_fence(memory_order_seq_cst);
}

/* What was read of it and is not done is one whole message (0), or not that (1). */
static inline void
cover_amid(int on)
{
	atomic_signal_fence(memory_order_seq_cst);
	cover_cell->amid = (uint32_t)on;
	atomic_signal_fence(memory_order_seq_cst);
}

/*
 * Number i (below COVER_WRITES) of those that are to be written to at once is this slot:
 * at most so many bytes, which end with a whole message; 0: nobody can tell.
 */
static inline void
cover_write(size_t i, uint32_t slot, size_t len)
{
	cover_cell->writing[i] = slot;
	cover_cell->length[i] = len;
}
/*
 * The first n are written to from now on.  Then of each it is noted what has gone out,
 * once its bits say what that has left; and then all of it is over.
 */
static inline void
cover_writing(size_t n)
{
	atomic_signal_fence(memory_order_seq_cst);
	cover_cell->nwriting = (uint32_t)n;
	atomic_signal_fence(memory_order_seq_cst);
}
static inline void
cover_wrote(uint32_t slot, size_t n)
{
	atomic_signal_fence(memory_order_seq_cst);
	cover_sent[slot] += (uint32_t)n;
}
static inline void
cover_written(void)
{
	cover_writing(0);
}

#endif
