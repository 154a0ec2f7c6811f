/*
 * The page of a shard: a memfd that the shard writes and that outlives it.  It
 * tells whether the shard gets on with its work, and what it is at.  The shard
 * makes it and hands it to the gateway with HELLO; the gateway copies from it,
 * while the shard is silent and when it has died, and believes none of it.
 *
 * The layout, in bytes of this machine's order (both ends run on it):
 *
 *	0	struct page_head
 *	64	struct page_work
 *	256	struct counters (counters.h)
 *	4096	what connections are at (cover.h); grows with them, to PAGE_MAX
 *
 * Versions: fields are added at the end of a struct, whose size the head tells;
 * a reader takes as much as it knows, what the writer did not have is zero.
 * version is raised with that.  readable is the lowest version whose reader
 * misunderstands nothing; it is raised when the meaning of a field changes.
 */
#ifndef PROTO_PAGE_H
#define PROTO_PAGE_H

#include <stddef.h>
#include <stdint.h>

#define PAGE_MAGIC	0x656761706c6e656bULL	/* "knelpage" */
#define PAGE_VERSION	3
#define PAGE_COVERS	3		/* the version that says it of connections */
#define PAGE_BYTES	4096
#define PAGE_MAX	(1 << 30)	/* bytes */
#define PAGE_WORK_AT	64
#define PAGE_ROOM_AT	256

enum page_what {		/* a callback that a successor may run again */
	PAGE_NOTHING,
	PAGE_DECIDE,		/* decide, or ongone when number is 0 */
	PAGE_ONSTEP,
	PAGE_ONRESET,		/* origin is 0, number PAGE_RESETS */
	PAGE_NWHATS
};
#define PAGE_RESETS	UINT64_MAX	/* all of a group: no step is to blame */
const char *page_what_name(enum page_what what);

struct page_head {
	uint64_t	 magic;
	uint32_t	 version, readable;
	uint64_t	 incarnation;	/* the shard's */
	uint32_t	 work_size;	/* of struct page_work, as written */
	uint32_t	 counters_size;	/* of struct counters; since version 2 */
	uint32_t	 reserved[8];	/* 0 */
};

struct page_work {
	uint64_t	 turns;		/* grows while the shard gets on */
	uint64_t	 replica;	/* of the shard: whose state it is */
	uint64_t	 origin;	/* replica that made the step */
	uint64_t	 number;	/* of that replica's steps; 0: it ended */
	uint32_t	 what;		/* enum page_what; written last */
	uint32_t	 reserved;	/* 0 */
};

struct counters;

struct page {
	struct page_head head;
	struct page_work work;
};

/* ---- the shard ---- */

/*
 * A page of our own, mapped until the process ends, and its descriptor, which is
 * the caller's: sealed, so that it cannot shrink.  NULL with errno.
 */
struct page *page_new(uint64_t incarnation, int *fd);
/* Where its counters are, all 0 at first. */
struct counters *page_counters(struct page *p);
/* The shard is about to run this; page_idle(): that came back. */
void	 page_at(struct page *p, enum page_what what, uint64_t replica,
	    uint64_t origin, uint64_t number);
void	 page_idle(struct page *p);

/* ---- the gateway ---- */

/*
 * Is fd a page that this process can read without waiting for anybody, and whose
 * bytes cannot be taken away meanwhile?  0, or -1 with errno EPROTO.
 */
int	 page_check(int fd);
/*
 * What the first bytes of a page say: page_read() reads them from fd.  0, or -1
 * with errno EPROTO: not the page of this incarnation, or nothing that makes
 * sense.  All values are within their bounds then, and no more is known of them.
 */
int	 page_parse(const void *data, size_t len, uint64_t incarnation,
	    struct page_work *work);
int	 page_read(int fd, uint64_t incarnation, struct page_work *work);
/* The counters of such a page, whatever they say; those that its shard does not
 * have are 0.  0, or -1 with errno. */
int	 page_read_counters(int fd, uint64_t incarnation, struct counters *c);

#endif
