/*
 * The room of a shard's page in which the blocks of cover.h lie: what is taken back is
 * given out again for blocks of about that size.
 */
#ifndef PROTO_COVER_ROOM_H
#define PROTO_COVER_ROOM_H

#include <stddef.h>
#include <stdint.h>

#define COVER_UNIT		8	/* bytes */
#define COVER_ROOM_SMALL	64	/* units: each such size has a list of its own */
#define COVER_ROOM_LISTS	(COVER_ROOM_SMALL + 32)

struct cover_room {
	int		 fd;
	char		*base;		/* mapped: where unit 0 would be */
	uint64_t	 at, size;	/* offset of base in fd; bytes of fd */
	uint64_t	 max;		/* bytes that are mapped of fd */
	uint32_t	 end;		/* first unit that was never given out */
	uint32_t	 free[COVER_ROOM_LISTS];
};

/* r is fd, of size bytes now, which may grow to max, mapped at map; blocks begin at
 * offset `at`. */
void	 cover_room_init(struct cover_room *r, int fd, char *map, uint64_t at,
	    uint64_t size, uint64_t max);
/* A block for len bytes: its unit, or 0 with errno ENOMEM. */
uint32_t cover_room_get(struct cover_room *r, uint32_t len);
void	 cover_room_put(struct cover_room *r, uint32_t unit);
/* fd has size bytes at least.  0, or -1 with errno. */
int	 cover_room_grow(struct cover_room *r, uint64_t size);
/* The block of which these are the bytes; 0: they lie elsewhere. */
uint32_t cover_room_unit(const struct cover_room *r, const char *bytes);
/* Its bytes, and how many. */
char	*cover_room_bytes(const struct cover_room *r, uint32_t unit);
uint32_t cover_room_len(const struct cover_room *r, uint32_t unit);

#endif
