/** What is to be seen from outside of something that tenants share: no tenant's name. */
export interface ShareState {
  readonly waiting: number;
  readonly active: number;
  /** Part of the places in use that the tenant with the most of them holds, 0 to 1. */
  readonly busiestShare: number;
}
