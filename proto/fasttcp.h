/*
 * The frames of fast-tcp: dialect 1 as the npm package fast-tcp speaks it, dialect 2 as
 * @gatejs/cluster does.  All integers are little endian:
 *
 *	dialect 1	length version flags data-type type id event data
 *	dialect 2	length version flags data-type type policy cells id event data
 *
 * The length counts what follows it; an event has 2 bytes of length before it, data 4,
 * cells 1.  The decoder resumes at any byte, and allocates nothing.
 */
#ifndef PROTO_FASTTCP_H
#define PROTO_FASTTCP_H

#include <stdint.h>

#include "common/bytes.h"

/* What a frame is for, in either dialect. */
enum fasttcp_type {
	FASTTCP_UNKNOWN,		/* to be passed over */
	FASTTCP_ERROR, FASTTCP_REGISTER,
	FASTTCP_DATA, FASTTCP_TO_SOCKET, FASTTCP_TO_ROOM, FASTTCP_BROADCAST,
	FASTTCP_DATA_WITH_ACK, FASTTCP_ACK, FASTTCP_JOIN, FASTTCP_LEAVE,
	FASTTCP_LEAVE_ALL, FASTTCP_STREAM_OPEN, FASTTCP_STREAM_DATA,
	FASTTCP_STREAM_CLOSE, FASTTCP_STREAM_OPEN_WITH_ACK,
	FASTTCP_STREAM_OPEN_TO_SOCKET, FASTTCP_STREAM_OPEN_TO_ROOM,
	FASTTCP_STREAM_OPEN_BROADCAST,
	/* Of dialect 2 only. */
	FASTTCP_AUTH_SEED, FASTTCP_AUTH_HMAC, FASTTCP_UPLINK, FASTTCP_DOWNLINK,
	FASTTCP_NEW_LINK, FASTTCP_DEL_LINK, FASTTCP_JOIN_ROOM,
	FASTTCP_LEAVE_ROOM,
	FASTTCP_PARCEL,			/* between kennels alone */
	FASTTCP_NTYPES
};

/* What its data is. */
enum fasttcp_data {
	FASTTCP_STRING = 1,		/* UTF-8 */
	FASTTCP_BINARY,
	FASTTCP_INTEGER,		/* signed, 6 bytes (1 to 6 are read) */
	FASTTCP_DECIMAL,		/* 8 bytes, IEEE 754 */
	FASTTCP_OBJECT,			/* somebody's serializer, mostly JSON */
	FASTTCP_BOOLEAN,		/* 1 byte */
	FASTTCP_EMPTY			/* none */
};

#define FASTTCP_EVENT_MAX	65535	/* bytes */
#define FASTTCP_CELLS_MAX	255
#define FASTTCP_HEAD_MAX	(20 + FASTTCP_CELLS_MAX + FASTTCP_EVENT_MAX)
#define FASTTCP_INTEGER_LEN	6
#define FASTTCP_DECIMAL_LEN	8

struct fasttcp_frame {
	enum fasttcp_type type;
	uint8_t		 data_type;	/* enum fasttcp_data */
	uint8_t		 policy;	/* dialect 2: 1 or 2 */
	uint32_t	 id;
	struct slice	 cells;		/* dialect 2 */
	struct slice	 event;
	struct slice	 data;		/* of the size that its type has */
};

/* A row of the table of dialects. */
struct fasttcp_dialect;
extern const struct fasttcp_dialect *const fasttcp_d1, *const fasttcp_d2;
unsigned fasttcp_version(const struct fasttcp_dialect *d);
/* Has this dialect such a frame? */
int	 fasttcp_has(const struct fasttcp_dialect *d, enum fasttcp_type type);

enum fasttcp_verdict {
	FASTTCP_MORE,		/* no frame yet; *used bytes are through */
	FASTTCP_GOT,		/* *f, which borrows from the bytes */
	FASTTCP_BAD		/* the sender broke the rules: *why */
};

/* State between calls: of a frame whose bytes are let go before its last one has come.
 * Zero-initialised, with a dialect and a limit, is a fresh connection. */
struct fasttcp_in {
	const struct fasttcp_dialect *dialect;
	size_t		 max;		/* bytes of a frame, its length not counted */
	uint32_t	 id;		/* of the stream whose bytes are coming */
	uint32_t	 left;		/* of them */
	uint32_t	 skip;		/* bytes that are passed over */
};

/*
 * The next frame of `from`, which begins where the last call has stopped: the caller
 * drops *used bytes, and keeps the others.  Of a STREAM_DATA that is binary
 * as much as has come is given, as a frame of its own, for the borders of such frames
 * have no meaning.  Everything else comes whole, and bytes behind a frame's data are
 * passed over.
 *
 * Checked before anything is kept: a length below the smallest or above max, another
 * version, an event, cells or data that end behind the frame, a data type that is
 * none, data that its type cannot have (integers of 0 or more than 6 bytes, decimals of
 * less than 8, booleans of none, empty ones of any).  Decimals and booleans that are
 * too long are cut.
 */
enum fasttcp_verdict fasttcp_next(struct fasttcp_in *in, struct slice from,
	    size_t *used, struct fasttcp_frame *f, const char **why);
/* Is nothing of a frame under way? */
int	 fasttcp_idle(const struct fasttcp_in *in);

/* Bytes of f but for its data.  0: its event or cells are too long, its data is, or the
 * dialect has no such frame. */
size_t	 fasttcp_head_len(const struct fasttcp_dialect *d,
	    const struct fasttcp_frame *f);
/* Write them to dst, which has room for that many.  Returns how many. */
size_t	 fasttcp_head(char *dst, const struct fasttcp_dialect *d,
	    const struct fasttcp_frame *f);

/* May data of this type have this size?  Then it is cut to what counts.  1 or 0. */
int	 fasttcp_fits(unsigned data_type, struct slice *data);
/* Of data that has the right size. */
int64_t	 fasttcp_get_integer(struct slice data);
double	 fasttcp_get_decimal(struct slice data);
/* 0, or -1 with errno ERANGE: below -2^47 or above 2^47 - 1. */
int	 fasttcp_put_integer(char dst[FASTTCP_INTEGER_LEN], int64_t v);
void	 fasttcp_put_decimal(char dst[FASTTCP_DECIMAL_LEN], double v);

#endif
