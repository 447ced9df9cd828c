// Which component a name or an address belongs to: the one translation that every adapter shares.

/** One address and whose it is. Addresses are kept after their pod is gone, so that old packets keep their names. */
export type Address = { readonly ip: string; readonly service: string; readonly pod: string };

export type Naming = {
  /** The component that a host name, service name, workload name or pod name means, or null. */
  component(name: string | null | undefined): string | null;
  /** Whose address this is, or null: the outside. */
  address(ip: string): Address | null;
};

/**
 * `order-service`, `order-service.shop.svc.cluster.local`, `order-service:8080` and the pod `order-service-6d4f-x2x` all
 * mean `order-service`: the longest component name that the first label equals or begins with, at a dash.
 */
export const naming = (components: readonly string[], addresses: () => ReadonlyMap<string, Address>): Naming => {
  const longestFirst = [...components].sort((a, b) => b.length - a.length);
  return {
    component: (name) => {
      if (!name) return null;
      const byAddress = addresses().get(name.replace(/:\d+$/, ''));
      if (byAddress) return byAddress.service;
      const label = name.replace(/^[a-z]+:\/\//, '').split(/[.:/]/)[0]!;
      return longestFirst.find((one) => label === one || label.startsWith(`${one}-`)) ?? null;
    },
    address: (ip) => addresses().get(ip) ?? null,
  };
};
