/*
 * A list of uids in one run of bytes: of each its length, two bytes big-endian, and
 * its bytes.
 */
#ifndef PROTO_UIDS_H
#define PROTO_UIDS_H

#include "common/bytes.h"

/* Append one of at most UID_MAX bytes.  0, or -1, and failure sticks in b. */
int	 uids_add(struct buf *b, struct slice uid);
/* Take the first off list: 1; 0 when it is empty; -1 with errno EPROTO when it is
 * no such list. */
int	 uids_next(struct slice *list, struct slice *uid);
/* Take off list as many as fit into max bytes and max_n, at least one if there is
 * one; they come back as a list of their own. */
struct slice uids_cut(struct slice *list, size_t max, size_t max_n);

#endif
