/* A list of uids: all of it is in its pieces, and nothing is read beyond it. */
#include <stdint.h>
#include <stdlib.h>

#include "proto/limits.h"
#include "proto/uids.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* As many as can be read; their bytes with the lengths in *bytes. */
static size_t
count(struct slice list, size_t *bytes)
{
	struct slice	 uid;
	size_t		 n = 0;

	for (*bytes = 0; uids_next(&list, &uid) == 1; n++) {
		if (uid.len > UID_MAX)
			abort();
		*bytes += 2 + uid.len;
	}
	return (n);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice	 left = slice_of(data, size), piece;
	size_t		 all, n = 0, bytes, sum = 0, some;

	all = count(left, &bytes);
	while ((piece = uids_cut(&left, 64, 5)).len > 0) {
		n += some = count(piece, &sum);
		if (sum != piece.len || some == 0 || some > 5 ||
		    (some > 1 && sum > 64))
			abort();
	}
	if (n != all || left.len != size - bytes)
		abort();
	return (0);
}
