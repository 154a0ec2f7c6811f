/* How many bytes files may take: of one session, and of all in this shard. */
#ifndef SHARDD_APE_QUOTA_H
#define SHARDD_APE_QUOTA_H

#include <stdint.h>

/* Take bytes for a session.  0, or -1: there is no room for so many. */
int	 quota_take(const char *session, uint64_t bytes);
void	 quota_give(const char *session, uint64_t bytes);

#endif
