/* A list of uids in one run of bytes. */
#include <errno.h>

#include "proto/limits.h"
#include "proto/uids.h"

int
uids_add(struct buf *b, struct slice uid)
{
	char	*p;

	if (uid.len > UID_MAX) {
		errno = EMSGSIZE;
		b->failed = 1;
		return (-1);
	}
	if ((p = buf_reserve(b, 2 + uid.len)) == NULL)
		return (-1);
	bytes_put_be16(p, (uint16_t)uid.len);
	if (uid.len > 0)
		memcpy(p + 2, uid.data, uid.len);
	b->len += 2 + uid.len;
	return (0);
}

int
uids_next(struct slice *list, struct slice *uid)
{
	size_t	 len;

	if (list->len == 0)
		return (0);
	if (list->len < 2 || (len = bytes_get_be16(list->data)) > UID_MAX ||
	    len > list->len - 2) {
		errno = EPROTO;
		return (-1);
	}
	*uid = slice_of(list->data + 2, len);
	*list = slice_of(list->data + 2 + len, list->len - 2 - len);
	return (1);
}

struct slice
uids_cut(struct slice *list, size_t max, size_t max_n)
{
	struct slice	 from = *list, rest = *list, uid;

	for (size_t n = 0; n < max_n && uids_next(&rest, &uid) == 1; n++) {
		if (n > 0 && from.len - rest.len > max)
			break;
		*list = rest;
	}
	return (slice_of(from.data, from.len - list->len));
}
