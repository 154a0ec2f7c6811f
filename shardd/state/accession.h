/*
 * Taking office: a new authority asks its neighbours where they are, then takes what
 * Redis has, under a new epoch; then others get what they miss, and steps are decided.
 */
#ifndef SHARDD_ACCESSION_H
#define SHARDD_ACCESSION_H

#include <stdint.h>

struct authority;

void	 accession_begin(struct authority *a);
/* Ask that neighbour where it is. */
void	 accession_ask(struct authority *a, uint64_t neighbour);
/*
 * Have all said where they are?  Whoever is late is not waited for by one who has
 * a state; one who has none would put nothing in its place.
 */
void	 accession_heard(struct authority *a, int late);
/* Redis has what was written, and gives a new epoch. */
void	 accession_take(struct authority *a);
/* We are in office, have the state, and Redis is as good as away: steps go on, and what
 * is to be written is refused.  It is asked again soon. */
void	 accession_go_without(struct authority *a);
/* Each 100 ms, while the authority is restless. */
void	 accession_tick(struct authority *a);

#endif
