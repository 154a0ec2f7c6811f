/*
 * What a shard has outside of itself, and takes with it when it leaves: the file
 * of its slot's lock; and, when no gateway is there to end it and no other shard
 * uses it, the private redis-server.
 */
#ifndef SHARDD_LEAVINGS_H
#define SHARDD_LEAVINGS_H

#include <stdint.h>

/* lock_fd: the slot's lock, held.  redis: URL that the gateway gave, or NULL. */
void	 leavings_clear(const char *run_dir, uint32_t slot, int lock_fd,
	    const char *redis);

#endif
